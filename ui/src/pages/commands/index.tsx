import { useInfiniteQuery } from '@tanstack/react-query'
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router'
import { commandsQuery } from '~/api/queries'
import type { Command, CommandStatus } from '~/api/types'
import { Ago } from '~/components/bits'
import { Bones, Empty, Failed, PageFrame } from '~/components/page'
import { CommandWord } from '~/components/state-mark'
import { Table, type TableColumn } from '~/components/table'
import { Button } from '~/components/ui/button'
import { cn } from '~/lib/cn'
import { duration } from '~/lib/format'
import { useProject } from '~/lib/project'
import { s } from '~/strings'

const route = getRouteApi('/_app/projects/$slug/commands/')
export const STATUSES: CommandStatus[] = ['pending', 'dispatched', 'acknowledged', 'completed', 'failed', 'timed_out', 'cancelled', 'unknown']

export const actionName = (action: string): string => s.commands.actions[action] ?? action

const COLUMNS: TableColumn<Command>[] = [
  { id: 'action', name: s.commands.action, phone: 'title', cell: (c) => <span className="font-medium">{actionName(c.action)}</span> },
  { id: 'state', name: s.commands.state, phone: 'side', cell: (c) => <CommandWord status={c.status} /> },
  {
    id: 'target', name: s.commands.target, cell: (c) => <code className="block max-w-90 truncate text-muted" title={c.target_id ?? undefined}>{c.target_id ?? '–'}</code>,
    className: 'hidden lg:table-cell',
  },
  { id: 'error', name: s.commands.error, cell: (c) => <span className="block max-w-80 truncate text-muted" title={c.error ?? undefined}>{c.error ?? ''}</span>, className: 'hidden xl:table-cell' },
  { id: 'by', name: s.commands.by, phone: 'note', cell: (c) => c.issued_by_name ?? (c.issued_by === null ? s.commands.system : s.commands.unknownPerson) },
  { id: 'took', name: s.commands.took, align: 'right', cell: (c) => <span className="num">{c.completed_at ? duration(Date.parse(c.completed_at) - Date.parse(c.issued_at)) : '–'}</span> },
  { id: 'issued', name: s.commands.issued, phone: 'note', align: 'right', cell: (c) => <Ago at={c.issued_at} className="text-muted" /> },
]

export function CommandsPage() {
  const { slug } = useProject()
  const { status } = route.useSearch()
  const navigate = useNavigate()
  const query = useInfiniteQuery(commandsQuery(slug, { ...(status && { status }) }))
  const rows = query.data?.pages.flatMap((page) => page.items).filter((c) => !status || c.status === status) ?? []
  const choose = (next: CommandStatus | undefined) => void navigate({ to: '.', search: next ? { status: next } : {}, replace: true })
  return (
    <PageFrame title={s.commands.title}>
      <div role="group" aria-label={s.commands.state} className="mb-3 flex flex-wrap gap-1">
        {[undefined, ...STATUSES].map((one) => (
          <button
            key={one ?? 'all'}
            type="button"
            aria-pressed={status === one}
            onClick={() => choose(one)}
            className={cn('h-7 rounded-md border px-2.5 text-sm', status === one ? 'border-accent bg-accent-soft' : 'border-line bg-surface text-muted hover:bg-hover')}
          >
            {one === undefined ? s.commands.all : s.commandStates[one]}
          </button>
        ))}
      </div>
      {query.error ? (
        <Failed error={query.error} what={s.errors.list(s.commands.title)} onRetry={() => void query.refetch()} />
      ) : query.isPending ? (
        <Bones />
      ) : rows.length === 0 ? (
        <Empty title={status ? s.commands.emptyFiltered : s.commands.emptyTitle}>{status ? null : s.commands.emptyText}</Empty>
      ) : (
        <Table
          label={s.commands.title}
          rows={rows}
          columns={COLUMNS}
          rowKey={(c) => c.id}
          link={(c, children) => (
            <Link to="/projects/$slug/commands/$id" params={{ slug, id: c.id }} className="after:absolute after:inset-0">{children}</Link>
          )}
        />
      )}
      {query.hasNextPage && (
        <Button className="mt-3" disabled={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>{s.common.more}</Button>
      )}
    </PageFrame>
  )
}
