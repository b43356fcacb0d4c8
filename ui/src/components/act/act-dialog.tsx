import { useQueryClient } from '@tanstack/react-query'
import { useRef, useState } from 'react'
import { patchCommand } from '~/api/live'
import { ApiError, post } from '~/api/client'
import type { Command, TaskRow } from '~/api/types'
import { shortId } from '~/lib/format'
import { keyOf } from '~/lib/live-rows'
import { s } from '~/strings'
import { known, Mark } from '../state-mark'
import { Button } from '../ui/button'
import { Dialog } from '../ui/dialog'
import { CommandOutcome } from './outcome'

export interface ActRequest { action: 'retry' | 'cancel'; tasks: TaskRow[] }

type Sent = { task: TaskRow; command: Command } | { task: TaskRow; refusal: ApiError | null }

const LISTED_MAX = 8
const ENDED = ['success', 'failure', 'revoked', 'rejected']
export const hasEnded = (task: TaskRow): boolean => ENDED.includes(task.state)

/** Says what will happen to which tasks before it does it, and stays to show what became of it. */
export function ActDialog({ slug, request, onClose }: { slug: string; request: ActRequest; onClose: () => void }) {
  const { action, tasks } = request
  const client = useQueryClient()
  const [sent, setSent] = useState<Sent[]>([])
  const [phase, setPhase] = useState<'ask' | 'sending' | 'done'>('ask')
  const [whenConnects, setWhenConnects] = useState(false)
  const stopped = useRef(false)
  const left = action === 'cancel' ? tasks.filter(hasEnded) : []
  const able = tasks.filter((task) => !left.includes(task))
  const running = action === 'retry' ? able.filter((task) => !hasEnded(task)) : []

  const send = async () => {
    setPhase('sending')
    setSent([])
    for (const task of able) {
      if (stopped.current) break
      const outcome = await sendOne(slug, action, task, whenConnects)
      if ('command' in outcome) patchCommand(client, slug, outcome.command)
      setSent((old) => [...old, outcome])
    }
    setPhase('done')
  }
  const close = () => {
    stopped.current = true
    onClose()
  }
  const noAgent = sent.some((one) => 'refusal' in one && one.refusal?.code === 'no_agent')

  return (
    <Dialog
      open
      onOpenChange={(open) => !open && close()}
      title={action === 'retry' ? s.act.retryTitle(tasks.length) : s.act.cancelTitle(tasks.length)}
      description={
        phase === 'ask' && able.length > 0 ? (
          <p className="text-ink">{action === 'retry' ? s.act.retryWill(able.length) : s.act.cancelWill(able.length)}</p>
        ) : undefined
      }
      footer={
        phase === 'ask' ? (
          <>
            <Button onClick={close}>{s.common.cancel}</Button>
            <Button variant={action === 'cancel' ? 'danger' : 'primary'} disabled={able.length === 0} onClick={() => void send()} data-confirm>
              {action === 'retry' ? s.act.doRetry(able.length) : s.act.doCancel(able.length)}
            </Button>
          </>
        ) : (
          <>
            {phase === 'done' && action === 'cancel' && noAgent && !whenConnects && (
              <Button onClick={() => { setWhenConnects(true); setPhase('ask') }}>{s.act.whenConnects}</Button>
            )}
            <Button onClick={close}>{s.common.close}</Button>
          </>
        )
      }
    >
      {phase === 'ask' ? (
        <div className="mt-3 space-y-3 text-sm">
          {able.length === 0 && <p>{s.act.nothing}</p>}
          <TaskNames tasks={able} />
          {running.length > 0 && <p className="rounded-md bg-warn-soft px-3 py-2">{tasks.length === 1 ? s.task.retryRunning : s.act.stillRunning(running.length)}</p>}
          {left.length > 0 && (
            <div>
              <p className="text-muted">{s.act.cannot(left.length)}</p>
              <TaskNames tasks={left} why={(task) => s.act.whyFinished(s.states[known(task.state)])} />
            </div>
          )}
          {whenConnects && <p>{s.act.whenConnectsText}</p>}
          <p className="text-muted">{s.act.audit}</p>
        </div>
      ) : (
        <div className="space-y-2" role="status">
          {able.length > 1 && <p className="num text-sm text-muted">{s.act.sent(sent.length, able.length)}</p>}
          {phase === 'sending' && able.length === 1 && <p className="text-sm text-muted">{s.act.sending}</p>}
          {sent.map((one) =>
            'command' in one ? (
              <CommandOutcome key={keyOf(one.task)} slug={slug} id={one.command.id} name={able.length > 1 ? one.task.name : null} />
            ) : (
              <p key={keyOf(one.task)} role="alert" className="rounded-md border border-danger/40 bg-danger-soft px-3 py-2 text-sm">
                {able.length > 1 && <code className="block">{one.task.name ?? shortId(one.task.task_id)}</code>}
                {one.refusal?.message ?? s.errors.unexpected}
              </p>
            ),
          )}
        </div>
      )}
    </Dialog>
  )
}

async function sendOne(slug: string, action: 'retry' | 'cancel', task: TaskRow, whenConnects: boolean): Promise<Sent> {
  try {
    const command = await post<Command>(`/projects/${encodeURIComponent(slug)}/commands/${action}-task`, {
      engine: task.engine,
      task_id: task.task_id,
      idempotency_key: newKey(),
      ...(whenConnects && { when: 'next_connect' }),
    })
    return { task, command }
  } catch (error) {
    return { task, refusal: error instanceof ApiError ? error : null }
  }
}

// `crypto.randomUUID` exists only on HTTPS and localhost; a brain may be reached by plain HTTP.
function newKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}

function TaskNames({ tasks, why }: { tasks: TaskRow[]; why?: (task: TaskRow) => string }) {
  if (tasks.length === 0) return null
  return (
    <ul className="divide-y divide-line rounded-md border border-line">
      {tasks.slice(0, LISTED_MAX).map((task) => (
        <li key={keyOf(task)} className="flex min-w-0 items-center gap-2 px-3 py-1.5">
          <Mark state={known(task.state)} label={s.states[known(task.state)]} />
          <code className="min-w-0 flex-1 truncate" title={task.name ?? undefined}>{task.name ?? s.tasks.noName}</code>
          <span className="text-xs text-muted">{why ? why(task) : <code>{shortId(task.task_id)}</code>}</span>
        </li>
      ))}
      {tasks.length > LISTED_MAX && <li className="px-3 py-1.5 text-muted">{s.act.andMore(tasks.length - LISTED_MAX)}</li>}
    </ul>
  )
}
