// What a task spent its time on, from its events; from its own times when events are missing.
import type { Task, TaskEvent } from '~/api/types'

export type Phase = 'waited' | 'ran' | 'retry_wait'
export interface Segment { phase: Phase; fromMs: number; toMs: number; open: boolean }

const STARTS = 'task.started'
const RETRIES = 'task.retried'
const ENDS = ['task.succeeded', 'task.failed', 'task.revoked', 'task.rejected']

const ms = (iso: string | null): number | null => (iso === null ? null : Date.parse(iso))

export function segments(task: Task, events: readonly TaskEvent[], nowMs: number): Segment[] {
  const found: Segment[] = []
  const begin = ms(task.sent_at) ?? ms(task.received_at) ?? ms(task.started_at)
  if (begin === null) return []
  let phase = 'waited' as Phase
  let from = begin
  const close = (at: number, next: Phase | null) => {
    found.push({ phase, fromMs: from, toMs: Math.max(from, at), open: false })
    if (next !== null) phase = next
    from = Math.max(from, at)
  }
  let ended = false
  for (const [kind, at] of steps(task, events)) {
    if (ended) break
    if (kind === STARTS && phase !== 'ran') close(at, 'ran')
    else if (kind === RETRIES && phase === 'ran') close(at, 'retry_wait')
    else if (ENDS.includes(kind)) {
      close(at, null)
      ended = true
    }
  }
  if (!ended) found.push({ phase, fromMs: from, toMs: Math.max(from, nowMs), open: true })
  return found
}

function steps(task: Task, events: readonly TaskEvent[]): [string, number][] {
  const seen: [string, number][] = events.map((event) => [event.kind, Date.parse(event.occurred_at)])
  const has = (kind: string) => seen.some(([one]) => one === kind)
  const started = ms(task.started_at)
  if (started !== null && !has(STARTS)) seen.push([STARTS, started])
  const finished = ms(task.finished_at)
  if (finished !== null && !ENDS.some(has)) seen.push([endOf(task.state), finished])
  // A stable sort keeps the order of arrival for equal times, which is the order of the states.
  return seen.sort((a, b) => a[1] - b[1])
}

function endOf(state: string): string {
  return { success: 'task.succeeded', revoked: 'task.revoked', rejected: 'task.rejected' }[state] ?? 'task.failed'
}
