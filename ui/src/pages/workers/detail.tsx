import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { ApiError } from '~/api/client'
import { recentTasksQuery, workerQuery } from '~/api/queries'
import { Ago, Count, Exact, Fact, Panel } from '~/components/bits'
import { NotFound } from '~/components/not-found'
import { Bones, Failed, PageFrame } from '~/components/page'
import { known, Mark, StateWord, WorkerWord } from '~/components/state-mark'
import { duration } from '~/lib/format'
import { keyOf } from '~/lib/live-rows'
import { s } from '~/strings'
import { JsonTree } from '../task/json-tree'

const route = getRouteApi('/_app/projects/$slug/workers/$id')

export function WorkerPage() {
  const { slug, id } = route.useParams()
  const query = useQuery(workerQuery(slug, id))
  const worker = query.data
  const tasks = useQuery({
    ...recentTasksQuery(slug, { worker: worker?.name, sort: '-updated_at', limit: 20 }),
    enabled: worker !== undefined,
  })
  if (query.error instanceof ApiError && query.error.status === 404) return <NotFound />
  if (query.error) return <PageFrame title={s.workers.title}><Failed error={query.error} what={s.errors.list(s.workers.name)} onRetry={() => void query.refetch()} /></PageFrame>
  if (!worker) return <PageFrame title={s.workers.title}><Bones /></PageFrame>
  const details = worker.details ?? null
  return (
    <PageFrame title={<code className="break-all">{worker.name}</code>} note={<WorkerWord state={worker.state} />}>
      <div className="space-y-4">
        {worker.state !== 'online' && (
          <p className="rounded-md border border-line bg-warn-soft px-4 py-2.5 text-sm">
            {worker.state === 'offline' ? s.workers.offlineNote : s.workers.unknownNote}
          </p>
        )}
        <Panel>
          <dl className="grid grid-cols-2 gap-x-6 gap-y-3 sm:grid-cols-4 lg:grid-cols-6">
            <Fact name={s.workers.seen}><Ago at={worker.last_seen_at} /></Fact>
            <Fact name={s.workers.engine}>{worker.engine}</Fact>
            <Fact name={s.workers.busy}><span className="num">{s.workers.busyOf(worker.active, worker.concurrency)}</span></Fact>
            <Fact name={s.workers.succeeded}><Count n={worker.succeeded} /></Fact>
            <Fact name={s.workers.failed}><Count n={worker.failed} /></Fact>
            {worker.retried !== null && <Fact name={s.workers.retried}><Count n={worker.retried} /></Fact>}
            <Fact name={s.workers.pid}>{worker.pid ?? '–'}</Fact>
            <Fact name={s.workers.queues}>{worker.queues.join(', ') || '–'}</Fact>
          </dl>
        </Panel>
        <div className="grid items-start gap-4 lg:grid-cols-[minmax(0,2fr)_minmax(0,1fr)]">
          <Panel
            title={s.workers.tasks}
            aside={<Link to="/projects/$slug/tasks" params={{ slug }} search={{ worker: worker.name }} className="text-sm text-accent hover:underline">{s.tasks.title}</Link>}
            bodyClass=""
          >
            {tasks.isPending ? <Bones rows={4} /> : (
              <ul className="divide-y divide-line">
                {(tasks.data?.items ?? []).map((row) => (
                  <li key={keyOf(row)}>
                    <Link to="/projects/$slug/tasks/$engine/$taskId" params={{ slug, engine: row.engine, taskId: row.task_id }} preload={false} className="flex min-h-9 items-center gap-3 px-4 text-sm hover:bg-hover">
                      <Mark state={known(row.state)} label={s.states[known(row.state)]} className="sm:hidden" />
                      <StateWord state={known(row.state)} className="w-24 max-sm:hidden" />
                      <code className="min-w-0 flex-1 truncate">{row.name ?? s.tasks.noName}</code>
                      <span className="num text-muted">{duration(row.runtime_ms)}</span>
                      <Ago at={row.updated_at} className="w-16 text-right text-muted" />
                    </Link>
                  </li>
                ))}
              </ul>
            )}
          </Panel>
          <Panel title={s.workers.details} bodyClass="p-4 font-mono text-sm">
            {details === null || Object.keys(details).length === 0 ? <p className="font-sans text-muted">{s.workers.noDetails}</p> : <JsonTree value={details} depth={1} />}
          </Panel>
        </div>
        <p className="text-xs text-muted">{s.workers.seen} <Exact at={worker.last_seen_at} /></p>
      </div>
    </PageFrame>
  )
}
