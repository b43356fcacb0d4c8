import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { type ReactNode, useEffect, useEffectEvent, useState } from 'react'
import { useStreamEvent } from '~/api/live'
import { agentsQuery, recentTasksQuery } from '~/api/queries'
import type { Agent, Minted, TaskRow } from '~/api/types'
import { Mark } from '~/components/state-mark'
import { Button, buttonClass } from '~/components/ui/button'
import { brainUrl } from '~/lib/base'
import { cn } from '~/lib/cn'
import { useProject } from '~/lib/project'
import { s } from '~/strings'
import { MintForm } from '../agents/mint'
import { refusalText } from '../agents/refusal'
import { Snippet } from './snippet'
import { StackCode } from './stack-code'
import { envLines } from './stacks'

/**
 * Three steps, each of which turns green when the brain sees it.
 *
 * On the first run any agent and any task count; `another` waits for those of a new agent.
 */
export function ConnectSteps({
  slug, another = false, onShown, onDone,
}: { slug: string; another?: boolean; onShown?: () => void; onDone?: () => void }) {
  const shown = useEffectEvent(() => onShown?.())
  useEffect(() => shown(), [])
  const { can } = useProject()
  const [minted, setMinted] = useState<Minted | null>(null)
  const [task, setTask] = useState<TaskRow | null>(null)
  const agents = useQuery({ ...agentsQuery(slug), enabled: can('agent.read'), refetchInterval: 10_000 })
  const first = useQuery({ ...recentTasksQuery(slug, { sort: 'updated_at', limit: 1 }), enabled: !another })
  useStreamEvent('tasks', ({ items }) => {
    const mine = another ? items.find((row) => minted !== null && row.agent_id === minted.agent.id) : items[0]
    setTask((old) => old ?? mine ?? null)
  })

  const list = agents.data?.items ?? []
  // Before anything was made here, an agent that somebody else made counts as well.
  const agent: Agent | null = minted
    ? (list.find((one) => one.id === minted.agent.id) ?? minted.agent)
    : another
      ? null
      : (list.find((one) => one.state === 'online') ?? list.find((one) => one.state !== 'revoked') ?? null)
  const connected = agent !== null && (agent.state === 'online' || agent.last_connected_at !== null)
  const seen = task ?? (another ? null : (first.data?.items[0] ?? null))
  const refused = agent !== null && !connected && agent.last_refusal !== null ? agent.last_refusal : null
  const url = brainUrl()

  return (
    <ol className="max-w-[880px] space-y-3">
      <Step n={1} done={agent !== null} title={agent ? s.connect.stepMintDone(agent.name) : s.connect.stepMint}>
        {minted === null && can('agent.mint') && (agent === null || !connected) && (
          <>
            <p className="mb-3 text-sm text-muted">{s.connect.mintNote}</p>
            <MintForm slug={slug} onMinted={setMinted} compact />
          </>
        )}
        {minted === null && agent === null && !can('agent.mint') && <p className="text-sm text-muted">{s.connect.notAllowed}</p>}
        {minted !== null && (
          <>
            <p className="mb-2 text-sm text-muted">{s.agents.secretsText}</p>
            <Snippet text={envLines({ url, token: minted.token, project: slug, secret: minted.hmac_secret })} label={s.connect.environment} testId="credentials" />
            {/^https?:\/\/(localhost|127\.|\[::1\])/.test(url) && <p className="mt-2 text-xs text-muted">{s.connect.localUrl}</p>}
          </>
        )}
      </Step>
      <Step
        n={2}
        done={connected}
        waiting={agent !== null}
        bad={refused !== null}
        title={connected && agent ? s.connect.stepRunDone(agent.name, agent.host ?? '') : s.connect.stepRun}
        note={agent !== null && !connected ? (refused ? s.connect.stepRunRefused : s.connect.stepRunWait) : undefined}
      >
        {refused && <p role="alert" className="mb-3 rounded-md border border-danger/40 bg-danger-soft px-3 py-2 text-sm">{refusalText(refused)}</p>}
        {!connected && (
          <StackCode slug={slug} credentials={minted ? { url, token: minted.token, project: slug, secret: minted.hmac_secret } : null} />
        )}
      </Step>
      <Step
        n={3}
        done={seen !== null}
        waiting={connected}
        title={seen ? s.connect.stepTaskDone : s.connect.stepTask}
        note={connected && !seen ? s.connect.stepTaskWait : undefined}
      >
        {seen ? (
          <p className="flex flex-wrap items-center gap-2">
            <Link to="/projects/$slug/tasks/$engine/$taskId" params={{ slug, engine: seen.engine, taskId: seen.task_id }} className={buttonClass('primary')}>
              {s.connect.open}
            </Link>
            {onDone ? (
              <Button onClick={onDone}>{s.connect.goOverview}</Button>
            ) : (
              <Link to="/projects/$slug/tasks" params={{ slug }} className={buttonClass()}>{s.nav.tasks}</Link>
            )}
          </p>
        ) : (
          <p className="text-sm text-muted">{s.connect.runAny}</p>
        )}
      </Step>
    </ol>
  )
}

function Step({
  n, done, waiting = false, bad = false, title, note, children,
}: { n: number; done: boolean; waiting?: boolean; bad?: boolean; title: string; note?: string | undefined; children: ReactNode }) {
  return (
    <li
      data-step={n}
      data-done={done}
      className={cn('rounded-md border bg-surface', done ? 'border-st-success/50' : 'border-line')}
    >
      <div className="flex min-h-12 flex-wrap items-center gap-x-3 gap-y-1 px-4 py-2">
        <span
          className={cn(
            'num flex size-6 shrink-0 items-center justify-center rounded-full border text-sm font-semibold',
            done ? 'border-st-success text-st-success' : waiting ? 'border-st-started text-st-started' : 'border-line-strong text-muted',
          )}
        >
          {done ? <Mark state="success" label={s.connect.done} /> : n}
        </span>
        <h2 className="min-w-0 flex-1 text-base font-semibold break-words">{title}</h2>
        {note !== undefined && (
          <span role="status" className={cn('flex items-center gap-1.5 text-sm max-sm:w-full max-sm:pl-9', bad ? 'text-danger' : 'text-muted')}>
            <Mark state={bad ? 'failure' : 'started'} />
            {note}
          </span>
        )}
      </div>
      <div className="px-4 pb-4 empty:hidden sm:pl-13">{children}</div>
    </li>
  )
}
