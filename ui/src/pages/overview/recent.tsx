import type { UseQueryResult } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import type { Page, TaskRow } from '~/api/types'
import { Ago, Panel } from '~/components/bits'
import { Bones, Failed } from '~/components/page'
import { Mark } from '~/components/state-mark'
import { duration } from '~/lib/format'
import { keyOf } from '~/lib/live-rows'
import { s } from '~/strings'

export function RecentFailures({ slug, query }: { slug: string; query: UseQueryResult<Page<TaskRow>> }) {
  const rows = query.data?.items ?? []
  return (
    <Panel
      title={s.overview.recentFailures}
      aside={
        <Link to="/projects/$slug/tasks" params={{ slug }} search={{ state: ['failure'] }} className="text-sm text-accent hover:underline">
          {s.overview.allFailures}
        </Link>
      }
      bodyClass=""
    >
      {query.error ? (
        <div className="p-4"><Failed error={query.error} what={s.errors.list(s.overview.recentFailures)} onRetry={() => void query.refetch()} /></div>
      ) : query.isPending ? (
        <Bones rows={4} />
      ) : rows.length === 0 ? (
        <p className="px-4 py-6 text-center text-sm text-muted">{s.overview.noFailures}</p>
      ) : (
        <ul className="divide-y divide-line">
          {rows.map((row) => (
            <li key={keyOf(row)}>
              <Link
                to="/projects/$slug/tasks/$engine/$taskId"
                params={{ slug, engine: row.engine, taskId: row.task_id }}
                preload={false}
                className="grid min-h-9 grid-cols-[12px_minmax(0,1fr)_auto] items-center gap-x-2.5 px-4 py-1.5 text-sm hover:bg-hover sm:grid-cols-[12px_minmax(0,2fr)_minmax(0,3fr)_72px_80px]"
              >
                <Mark state="failure" label={s.states.failure} />
                <code className="truncate">{row.name ?? s.tasks.noName}</code>
                <span className="col-start-2 row-start-2 truncate text-muted sm:col-start-auto sm:row-start-auto" title={row.exception_message ?? undefined}>
                  {row.exception ?? s.states.failure}{row.exception_message ? `: ${row.exception_message}` : ''}
                </span>
                <span className="num hidden text-right text-muted sm:block">{duration(row.runtime_ms)}</span>
                <Ago at={row.updated_at} className="text-right text-muted" />
              </Link>
            </li>
          ))}
        </ul>
      )}
    </Panel>
  )
}
