import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { workersQuery } from '~/api/queries'
import type { Worker } from '~/api/types'
import { Ago, Count } from '~/components/bits'
import { Bones, Empty, Failed, PageFrame } from '~/components/page'
import { WorkerWord } from '~/components/state-mark'
import { Table, type TableColumn } from '~/components/table'
import { buttonClass } from '~/components/ui/button'
import { useProject } from '~/lib/project'
import { s } from '~/strings'

const RANK = { offline: 0, unknown: 1, online: 2 }

const COLUMNS: TableColumn<Worker>[] = [
  { id: 'name', name: s.workers.name, phone: 'title', by: (w) => w.name, cell: (w) => <code className="font-medium">{w.name}</code> },
  { id: 'state', name: s.workers.state, phone: 'side', by: (w) => RANK[w.state], cell: (w) => <WorkerWord state={w.state} /> },
  { id: 'engine', name: s.workers.engine, by: (w) => w.engine, cell: (w) => w.engine, className: 'hidden lg:table-cell' },
  {
    id: 'busy', name: s.workers.busy, phone: 'note', align: 'right', by: (w) => w.active,
    cell: (w) => <span className="num">{s.workers.busyOf(w.active, w.concurrency)}</span>,
  },
  { id: 'queues', name: s.workers.queues, cell: (w) => w.queues.join(', ') || '–', className: 'hidden max-w-64 truncate lg:table-cell' },
  { id: 'succeeded', name: s.workers.succeeded, align: 'right', by: (w) => w.succeeded, cell: (w) => <Count n={w.succeeded} /> },
  {
    id: 'failed', name: s.workers.failed, phone: 'note', align: 'right', by: (w) => w.failed,
    cell: (w) => <Count n={w.failed} className={w.failed > 0 ? 'text-st-failure' : 'text-muted'} />,
  },
  { id: 'retried', name: s.workers.retried, align: 'right', by: (w) => w.retried, cell: (w) => <Count n={w.retried} />, className: 'hidden lg:table-cell' },
  { id: 'seen', name: s.workers.seen, phone: 'note', align: 'right', by: (w) => w.last_seen_at, cell: (w) => <Ago at={w.last_seen_at} className="text-muted" /> },
]

export function WorkersPage() {
  const { slug, can } = useProject()
  const query = useQuery(workersQuery(slug))
  const rows = [...(query.data?.items ?? [])].sort((a, b) => RANK[a.state] - RANK[b.state] || a.name.localeCompare(b.name))
  const online = rows.filter((worker) => worker.state === 'online').length
  return (
    <PageFrame title={s.workers.title} note={rows.length > 0 ? s.workers.summary(online, rows.length) : undefined}>
      {query.error ? (
        <Failed error={query.error} what={s.errors.list(s.workers.title)} onRetry={() => void query.refetch()} />
      ) : query.isPending ? (
        <Bones />
      ) : rows.length === 0 ? (
        <Empty
          title={s.workers.emptyTitle}
          action={can('agent.mint') && <Link to="/projects/$slug/connect" params={{ slug }} className={buttonClass('primary')}>{s.connect.title}</Link>}
        >
          {s.workers.emptyText}
        </Empty>
      ) : (
        <Table
          label={s.workers.title}
          rows={rows}
          columns={COLUMNS.filter((column) => column.id !== 'retried' || rows.some((w) => w.retried !== null))}
          rowKey={(w) => w.id}
          link={(w, children) => (
            <Link to="/projects/$slug/workers/$id" params={{ slug, id: w.id }} className="after:absolute after:inset-0">{children}</Link>
          )}
        />
      )}
    </PageFrame>
  )
}
