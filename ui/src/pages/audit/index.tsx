import { useInfiniteQuery } from '@tanstack/react-query'
import { auditQuery } from '~/api/queries'
import type { AuditEntry } from '~/api/types'
import { Ago } from '~/components/bits'
import { Bones, Empty, Failed, PageFrame } from '~/components/page'
import { Mark } from '~/components/state-mark'
import { Table, type TableColumn } from '~/components/table'
import { Button } from '~/components/ui/button'
import { shortId } from '~/lib/format'
import { useProject } from '~/lib/project'
import { s } from '~/strings'

const COLUMNS: TableColumn<AuditEntry>[] = [
  { id: 'action', name: s.audit.action, phone: 'title', cell: (e) => <code className="font-medium">{e.action}</code> },
  { id: 'who', name: s.audit.who, phone: 'note', cell: (e) => e.actor.name ?? (e.actor.kind === 'system' ? s.commands.system : shortId(e.actor.id ?? e.actor.kind)) },
  {
    id: 'target', name: s.audit.target, className: 'hidden lg:table-cell',
    cell: (e) => <span className="block max-w-90 truncate text-muted" title={e.target_id ?? undefined}>{e.target_type ?? '–'} {e.target_id && <code>{e.target_id}</code>}</span>,
  },
  {
    id: 'outcome', name: s.audit.outcome, phone: 'side',
    cell: (e) => <span className={/^(ok|success|allowed|allow)$/.test(e.outcome) ? 'text-muted' : 'text-st-failure'}>{e.outcome}</span>,
  },
  { id: 'number', name: s.audit.number, align: 'right', cell: (e) => <span className="text-muted">{e.seq}</span> },
  { id: 'when', name: s.audit.when, phone: 'note', align: 'right', cell: (e) => <Ago at={e.occurred_at} className="text-muted" /> },
]

export function AuditPage() {
  const { slug } = useProject()
  const query = useInfiniteQuery(auditQuery(slug, {}))
  const rows = query.data?.pages.flatMap((page) => page.items) ?? []
  const chain = query.data?.pages[0]?.chain
  return (
    <PageFrame
      title={s.audit.title}
      note={
        chain && (
          <span className="flex items-center gap-1.5">
            <Mark state={chain.verified === true ? 'success' : chain.verified === false ? 'failure' : 'pending'} />
            {chain.verified === true ? s.audit.verified : chain.verified === false ? s.audit.broken : s.audit.unchecked} · {s.audit.chain(chain.length)}
          </span>
        )
      }
    >
      {query.error ? (
        <Failed error={query.error} what={s.errors.list(s.audit.title)} onRetry={() => void query.refetch()} />
      ) : query.isPending ? (
        <Bones />
      ) : rows.length === 0 ? (
        <Empty title={s.audit.emptyTitle}>{s.audit.emptyText}</Empty>
      ) : (
        <Table label={s.audit.title} rows={rows} columns={COLUMNS} rowKey={(e) => e.id} />
      )}
      {query.hasNextPage && (
        <Button className="mt-3" disabled={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>{s.common.more}</Button>
      )}
    </PageFrame>
  )
}
