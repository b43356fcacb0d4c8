import { useQuery } from '@tanstack/react-query'
import { createFileRoute } from '@tanstack/react-router'
import { useEffect } from 'react'
import { LiveProvider } from '~/api/live'
import { meQuery } from '~/api/queries'
import { Frame } from '~/components/frame/frame'
import { NotFound } from '~/components/not-found'
import type { RangeSearch } from '~/lib/range'

export const Route = createFileRoute('/_app/projects/$slug')({
  validateSearch: (search: Record<string, unknown>): RangeSearch => ({
    ...(typeof search['range'] === 'string' && { range: search['range'] }),
    ...(typeof search['from'] === 'string' && { from: search['from'] }),
    ...(typeof search['to'] === 'string' && { to: search['to'] }),
  }),
  component: Project,
})

function Project() {
  const { slug } = Route.useParams()
  const { data: me } = useQuery(meQuery)
  const member = me?.memberships.some((m) => m.project.slug === slug) ?? false
  useEffect(() => {
    if (member) localStorage.setItem('z4j.project', slug)
  }, [member, slug])
  if (!member) return <NotFound />
  return (
    <LiveProvider slug={slug} key={slug}>
      <Frame slug={slug} />
    </LiveProvider>
  )
}
