import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { ApiError } from '~/api/client'
import { agentsQuery, commandQuery } from '~/api/queries'
import type { Command } from '~/api/types'
import { newTaskOf } from '~/components/act/outcome'
import { Exact, Fact, Panel } from '~/components/bits'
import { NotFound } from '~/components/not-found'
import { Bones, Failed, PageFrame } from '~/components/page'
import { CommandWord, Mark } from '~/components/state-mark'
import { duration } from '~/lib/format'
import { useProject } from '~/lib/project'
import { s } from '~/strings'
import { JsonTree } from '../task/json-tree'
import { actionName } from '.'

const route = getRouteApi('/_app/projects/$slug/commands/$id')
const OPEN = ['pending', 'dispatched', 'acknowledged']

export function CommandPage() {
  const { slug, id } = route.useParams()
  const { can } = useProject()
  const query = useQuery({ ...commandQuery(slug, id), refetchInterval: (q) => (OPEN.includes(q.state.data?.status ?? '') ? 5_000 : false) })
  const agents = useQuery({ ...agentsQuery(slug), enabled: can('agent.read') })
  const command = query.data
  if (query.error instanceof ApiError && query.error.status === 404) return <NotFound />
  if (query.error) return <PageFrame title={s.commands.title}><Failed error={query.error} what={s.errors.list(s.commands.title)} onRetry={() => void query.refetch()} /></PageFrame>
  if (!command) return <PageFrame title={s.commands.title}><Bones /></PageFrame>
  const made = newTaskOf(command)
  const agent = agents.data?.items.find((one) => one.id === command.agent_id)
  const note = { unknown: s.commands.unknownNote, timed_out: s.commands.timedOutNote, pending: s.commands.pendingNote }[command.status as string]
  return (
    <PageFrame title={actionName(command.action)} note={<CommandWord status={command.status} className="text-base" />}>
      <div className="grid items-start gap-4 lg:grid-cols-2">
        <div className="min-w-0 space-y-4">
          {(note || command.error) && (
            <div className="rounded-md border border-line bg-warn-soft px-4 py-2.5 text-sm">
              {command.error && <p className="font-medium break-words">{command.error}</p>}
              {note && <p>{note}</p>}
            </div>
          )}
          <Panel title={s.commands.timeline}><Steps command={command} /></Panel>
          <Panel>
            <dl className="grid gap-x-6 gap-y-3 sm:grid-cols-2">
              <Fact name={s.commands.target} className="col-span-full"><Target slug={slug} command={command} /></Fact>
              {made && (
                <Fact name={s.commands.newTask} className="col-span-full">
                  <Link to="/projects/$slug/tasks/$engine/$taskId" params={{ slug, engine: made.engine, taskId: made.taskId }} className="text-accent hover:underline"><code>{made.taskId}</code></Link>
                </Fact>
              )}
              <Fact name={s.commands.by}>{command.issued_by_name ?? (command.issued_by === null ? s.commands.system : s.commands.unknownPerson)}</Fact>
              <Fact name={s.commands.agent}>
                {command.agent_id === null ? '–' : <Link to="/projects/$slug/agents" params={{ slug }} hash={command.agent_id} className="text-accent hover:underline">{agent?.name ?? <code>{command.agent_id}</code>}</Link>}
              </Fact>
            </dl>
          </Panel>
        </div>
        <div className="min-w-0 space-y-4">
          {command.result !== null && <Panel title={s.commands.result} bodyClass="p-4 font-mono text-sm"><JsonTree value={command.result} depth={1} /></Panel>}
          <Panel title={s.commands.payload} bodyClass="p-4 font-mono text-sm"><JsonTree value={command.payload} depth={1} /></Panel>
        </div>
      </div>
    </PageFrame>
  )
}

function Target({ slug, command }: { slug: string; command: Command }) {
  const id = command.target_id ?? ''
  const colon = id.indexOf(':')
  if (command.target_type !== 'task' || colon === -1) return <code>{id || '–'}</code>
  return (
    <Link to="/projects/$slug/tasks/$engine/$taskId" params={{ slug, engine: id.slice(0, colon), taskId: id.slice(colon + 1) }} className="text-accent hover:underline">
      <code className="break-all">{id}</code>
    </Link>
  )
}

function Steps({ command }: { command: Command }) {
  const steps = [
    [s.commands.steps.issued, command.issued_at, 'pending'],
    [s.commands.steps.dispatched, command.dispatched_at, 'received'],
    [s.commands.steps.acknowledged, command.acknowledged_at, 'started'],
  ] as const
  const start = Date.parse(command.issued_at)
  return (
    <ol className="space-y-1.5 text-sm">
      {steps.map(([name, at, mark]) => (
        <li key={name} className="flex flex-wrap items-center gap-x-3">
          <Mark state={at === null ? 'unknown' : mark} className="[animation:none]" />
          <span className={`w-44 ${at === null ? 'text-muted' : ''}`}>{name}</span>
          <Exact at={at} className="text-muted" />
          {at !== null && at !== command.issued_at && <span className="num text-xs text-muted">+{duration(Date.parse(at) - start)}</span>}
        </li>
      ))}
      <li className="flex flex-wrap items-center gap-x-3">
        <CommandWord status={command.status} className="w-50 gap-3" />
        <Exact at={command.completed_at} className="text-muted" />
        {command.completed_at && <span className="num text-xs text-muted">+{duration(Date.parse(command.completed_at) - start)}</span>}
      </li>
      {command.completed_at === null && command.timeout_at && (
        <li className="pl-6 text-xs text-muted">{s.commands.deadline} <Exact at={command.timeout_at} /></li>
      )}
    </ol>
  )
}
