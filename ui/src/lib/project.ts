import { useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { meQuery } from '~/api/queries'

const route = getRouteApi('/_app/projects/$slug')

/** The project of this page and what the signed-in person may do in it. */
export function useProject() {
  const { slug } = route.useParams()
  const { data: me } = useQuery(meQuery)
  const membership = me?.memberships.find((m) => m.project.slug === slug)
  return {
    slug,
    name: membership?.project.name ?? slug,
    role: membership?.role ?? '',
    me,
    can: (action: string) => membership?.actions.includes(action) ?? false,
  }
}
