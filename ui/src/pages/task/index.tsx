import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { useEffect, useState } from 'react'
import { ApiError } from '~/api/client'
import { agentsQuery, commandsQuery, taskEventsQuery, taskQuery } from '~/api/queries'
import type { Json, Task, TaskEvent } from '~/api/types'
import { useInfiniteQuery } from '@tanstack/react-query'
import { type ActRequest, ActDialog, hasEnded } from '~/components/act/act-dialog'
import { CommandOutcome } from '~/components/act/outcome'
import { CopyButton, Exact, Fact, Panel } from '~/components/bits'
import { Bones, Empty, Failed } from '~/components/page'
import { known, StateWord } from '~/components/state-mark'
import { Button, buttonClass } from '~/components/ui/button'
import { keyIsTaken } from '~/components/frame/use-frame-keys'
import { cn } from '~/lib/cn'
import { duration, shortId } from '~/lib/format'
import { useProject } from '~/lib/project'
import { s } from '~/strings'
import { ErrorPanel } from './error-panel'
import { EventList } from './event-list'
import { Family } from './family'
import { JsonTree } from './json-tree'
import { TimelineBar } from './timeline-bar'

const route = getRouteApi('/_app/projects/$slug/tasks/$engine/$taskId')
const NO_EVENTS: TaskEvent[] = []

export function TaskPage() {
  const { slug, engine, taskId } = route.useParams()
  const task = useQuery(taskQuery(slug, engine, taskId))
  if (task.data) return <TaskView key={`${engine}:${taskId}`} slug={slug} task={task.data} />
  if (task.error instanceof ApiError && task.error.status === 404) {
    return (
      <Empty title={s.task.gone} action={<Link to="/projects/$slug/tasks" params={{ slug }} className={buttonClass()}>{s.task.prev}</Link>}>
        {s.task.goneText}
      </Empty>
    )
  }
  if (task.error) return <div className="p-6"><Failed error={task.error} what={s.errors.list(s.nav.tasks)} onRetry={() => void task.refetch()} /></div>
  return <Bones className="p-6" />
}

function TaskView({ slug, task }: { slug: string; task: Task }) {
  const events = useQuery(taskEventsQuery(slug, task.engine, task.task_id))
  const list = events.data?.items ?? NO_EVENTS
  const failed = task.state === 'failure' || task.exception !== null || task.traceback !== null
  return (
    <div className="mx-auto w-full max-w-[1600px] px-4 pt-4 pb-10 sm:px-6">
      <Header task={task} />
      {task.reason && <p className="mb-4 rounded-md border border-line bg-warn-soft px-4 py-2.5 text-sm">{task.reason}</p>}
      <div className="grid gap-4 lg:grid-cols-[minmax(0,1fr)_280px] lg:grid-rows-[auto_1fr]">
        <div className="min-w-0 space-y-4 lg:col-start-2 lg:row-start-1">
          <Actions slug={slug} task={task} />
          <Commands slug={slug} task={task} />
        </div>
        <div className="min-w-0 space-y-4 lg:col-start-1 lg:row-span-2 lg:row-start-1">
          <Panel title={s.task.timeline}><TimelineBar task={task} events={list} /></Panel>
          {failed && <ErrorPanel task={task} />}
          <Values task={task} />
          <Family slug={slug} task={task} />
          <Panel title={s.task.events} bodyClass="">
            {events.error ? (
              <div className="p-4"><Failed error={events.error} what={s.errors.list(s.task.events)} onRetry={() => void events.refetch()} /></div>
            ) : (
              <EventList events={list} loading={events.isPending} />
            )}
          </Panel>
          <Raw task={task} />
        </div>
        <div className="min-w-0 lg:col-start-2 lg:row-start-2">
          <Facts slug={slug} task={task} />
        </div>
      </div>
    </div>
  )
}

function Header({ task }: { task: Task }) {
  return (
    <header className="mb-4">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <h1 className="min-w-0 font-mono text-xl font-semibold break-words">{task.name ?? s.task.unnamed}</h1>
        <span data-state={task.state} className="text-base font-medium"><StateWord state={known(task.state)} /></span>
      </div>
      <p className="mt-1 flex flex-wrap items-center gap-x-2 gap-y-0.5 text-sm text-muted">
        <span className="flex items-center"><code>{task.task_id}</code><CopyButton text={task.task_id} label={s.common.copy(s.task.id)} /></span>
        {[task.queue, task.worker_name, s.task.attempt(task.retry_count + 1), task.runtime_ms === null ? null : `${s.task.ran} ${duration(task.runtime_ms)}`]
          .filter((part) => part !== null)
          .map((part) => <span key={part} className="sm:before:mr-2 sm:before:content-['·']">{part}</span>)}
      </p>
    </header>
  )
}

function Actions({ slug, task }: { slug: string; task: Task }) {
  const { can } = useProject()
  const [acting, setActing] = useState<ActRequest | null>(null)
  const ended = hasEnded(task)
  const canRetry = can('task.retry')
  const canCancel = can('task.cancel')
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (keyIsTaken(event) || event.metaKey || event.ctrlKey || event.altKey) return
      if (event.key === 'r' && canRetry) setActing({ action: 'retry', tasks: [task] })
      if (event.key === 'c' && canCancel && !ended) setActing({ action: 'cancel', tasks: [task] })
    }
    document.addEventListener('keydown', onKey)
    return () => document.removeEventListener('keydown', onKey)
  }, [task, canRetry, canCancel, ended])
  if (!canRetry && !canCancel) return null
  return (
    <Panel title={s.task.actions} bodyClass="space-y-3 p-4">
      {canRetry && (
        <div>
          <Button variant={task.state === 'failure' ? 'primary' : 'plain'} className="w-full" data-action="retry" onClick={() => setActing({ action: 'retry', tasks: [task] })}>
            {s.task.retry}
          </Button>
          <p className="mt-1 text-xs text-muted">{ended ? s.task.retrySay : s.task.retryRunning}</p>
        </div>
      )}
      {canCancel && (
        <div>
          <Button className="w-full" disabled={ended} data-action="cancel" onClick={() => setActing({ action: 'cancel', tasks: [task] })}>
            {s.task.cancel}
          </Button>
          <p className="mt-1 text-xs text-muted">{ended ? s.task.cancelOff(s.states[known(task.state)]) : s.task.cancelSay}</p>
        </div>
      )}
      {acting && <ActDialog slug={slug} request={acting} onClose={() => setActing(null)} />}
    </Panel>
  )
}

function Commands({ slug, task }: { slug: string; task: Task }) {
  const { can } = useProject()
  const query = useInfiniteQuery({
    ...commandsQuery(slug, { target_id: `${task.engine}:${task.task_id}` }),
    enabled: can('command.read'),
  })
  const commands = query.data?.pages.flatMap((page) => page.items) ?? []
  if (commands.length === 0) return null
  return (
    <Panel title={s.task.commands} bodyClass="space-y-2 p-3">
      {commands.slice(0, 5).map((command) => <CommandOutcome key={command.id} slug={slug} id={command.id} />)}
    </Panel>
  )
}

function Facts({ slug, task }: { slug: string; task: Task }) {
  const { can } = useProject()
  const agents = useQuery({ ...agentsQuery(slug), enabled: can('agent.read') })
  const agent = agents.data?.items.find((one) => one.id === task.agent_id)
  const dash = <span className="text-muted">–</span>
  return (
    <Panel bodyClass="p-4">
      <dl className="grid grid-cols-2 gap-x-4 gap-y-2.5 lg:grid-cols-1">
        <Fact name={s.task.queue}>{task.queue ?? dash}</Fact>
        <Fact name={s.task.worker}>{task.worker_name ?? dash}</Fact>
        <Fact name={s.task.engine}>{task.engine}</Fact>
        {task.agent_id && (
          <Fact name={s.task.agent}>
            <Link to="/projects/$slug/agents" params={{ slug }} hash={task.agent_id} className="text-accent hover:underline">{agent?.name ?? <code>{shortId(task.agent_id)}</code>}</Link>
          </Fact>
        )}
        {task.priority !== null && <Fact name={s.task.priority}>{String(task.priority)}</Fact>}
        {task.eta && <Fact name={s.task.eta}><Exact at={task.eta} /></Fact>}
        {(['sent', 'received', 'started', 'finished'] as const).map((step) => {
          const at = task[`${step}_at`]
          return at === null && step === 'sent' ? null : <Fact key={step} name={s.task[step]}><Exact at={at} /></Fact>
        })}
        {task.tags.length > 0 && <Fact name={s.task.tags}>{task.tags.join(', ')}</Fact>}
      </dl>
    </Panel>
  )
}

const isEmpty = (value: Json) => value === null || (typeof value === 'object' && Object.keys(value).length === 0)

function Values({ task }: { task: Task }) {
  const none = isEmpty(task.args) && isEmpty(task.kwargs)
  const hasResult = task.state === 'success' || task.result !== null
  return (
    <div className={cn('grid items-start gap-4', hasResult && 'xl:grid-cols-2')}>
      <Panel title={s.task.args} aside={<CopyButton text={JSON.stringify({ args: task.args, kwargs: task.kwargs }, null, 2)} label={s.common.copy(s.task.args)} />} bodyClass="p-4 font-mono text-sm">
        {none && <p className="font-sans text-muted">{task.args === null && task.kwargs === null ? s.task.argsUnknown : s.task.noArgs}</p>}
        {!isEmpty(task.args) && <><p className="mb-0.5 font-sans text-xs text-muted">{s.task.positional}</p><JsonTree value={task.args} depth={1} /></>}
        {!isEmpty(task.kwargs) && <><p className="mt-2 mb-0.5 font-sans text-xs text-muted first:mt-0">{s.task.keyword}</p><JsonTree value={task.kwargs} depth={1} /></>}
      </Panel>
      {hasResult && (
        <Panel title={s.task.result} aside={<CopyButton text={JSON.stringify(task.result, null, 2)} label={s.common.copy(s.task.result)} />} bodyClass="p-4 font-mono text-sm">
          <JsonTree value={task.result} depth={1} />
        </Panel>
      )}
    </div>
  )
}

function Raw({ task }: { task: Task }) {
  const text = JSON.stringify(task, null, 2)
  return (
    <details className="rounded-md border border-line bg-surface">
      <summary className="px-4 py-2.5 text-sm font-semibold">{s.task.raw}</summary>
      <div className="border-t border-line p-4">
        <CopyButton text={text} label={s.task.copyRaw} className="float-right" />
        <pre tabIndex={0} aria-label={s.task.raw} className="max-h-[480px] overflow-auto text-xs leading-5">{text}</pre>
      </div>
    </details>
  )
}
