import { useQuery } from '@tanstack/react-query'
import { createFileRoute, Navigate } from '@tanstack/react-router'
import { meQuery } from '~/api/queries'
import { Empty } from '~/components/page'
import { s } from '~/strings'

export const Route = createFileRoute('/_app/')({ component: Start })

const LAST_PROJECT = 'z4j.project'

function Start() {
  const { data } = useQuery(meQuery)
  const memberships = data?.memberships ?? []
  const last = localStorage.getItem(LAST_PROJECT)
  const first = memberships.find((m) => m.project.slug === last) ?? memberships[0]
  if (first === undefined) return <Empty title={s.project.noneTitle}>{s.project.noneText}</Empty>
  return <Navigate to="/projects/$slug" params={{ slug: first.project.slug }} replace />
}
