import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { queuesQuery } from '~/api/queries'
import type { Queue } from '~/api/types'
import { Ago, Count } from '~/components/bits'
import { Bones, Empty, Failed, PageFrame } from '~/components/page'
import { Table, type TableColumn } from '~/components/table'
import { useProject } from '~/lib/project'
import { s } from '~/strings'

const COLUMNS: TableColumn<Queue>[] = [
  { id: 'name', name: s.queues.name, phone: 'title', by: (q) => q.name, cell: (q) => <code className="font-medium">{q.name}</code> },
  { id: 'engine', name: s.queues.engine, by: (q) => q.engine, cell: (q) => q.engine },
  { id: 'waiting', name: s.queues.waiting, title: s.queues.waitingNote, phone: 'note', align: 'right', by: (q) => q.waiting, cell: (q) => <Count n={q.waiting} /> },
  { id: 'running', name: s.queues.running, phone: 'note', align: 'right', by: (q) => q.running, cell: (q) => <Count n={q.running} /> },
  {
    id: 'failed', name: s.queues.failed, phone: 'note', align: 'right', by: (q) => q.failed_1h,
    cell: (q) => <Count n={q.failed_1h} className={(q.failed_1h ?? 0) > 0 ? 'text-st-failure' : 'text-muted'} />,
  },
  {
    id: 'depth', name: s.queues.depth, title: s.queues.depthNote, align: 'right', by: (q) => q.depth,
    cell: (q) => (q.depth === null ? <span className="text-muted" title={s.queues.depthNote}>{s.common.notReported}</span> : <span><Count n={q.depth} /> <Ago at={q.depth_at} className="text-xs text-muted" /></span>),
  },
  { id: 'seen', name: s.queues.seen, phone: 'side', align: 'right', by: (q) => q.last_seen_at, cell: (q) => <Ago at={q.last_seen_at} className="text-muted" /> },
]

export function QueuesPage() {
  const { slug } = useProject()
  const query = useQuery(queuesQuery(slug))
  const rows = [...(query.data?.items ?? [])].sort((a, b) => b.waiting - a.waiting || a.name.localeCompare(b.name))
  return (
    <PageFrame title={s.queues.title}>
      {query.error ? (
        <Failed error={query.error} what={s.errors.list(s.queues.title)} onRetry={() => void query.refetch()} />
      ) : query.isPending ? (
        <Bones />
      ) : rows.length === 0 ? (
        <Empty title={s.queues.emptyTitle}>{s.queues.emptyText}</Empty>
      ) : (
        <Table
          label={s.queues.title}
          rows={rows}
          columns={COLUMNS.filter((column) => column.id !== 'failed' || rows.some((q) => q.failed_1h !== null))}
          rowKey={(q) => q.id}
          link={(q, children) => (
            <Link to="/projects/$slug/tasks" params={{ slug }} search={{ queue: q.name }} className="after:absolute after:inset-0">{children}</Link>
          )}
        />
      )}
    </PageFrame>
  )
}
