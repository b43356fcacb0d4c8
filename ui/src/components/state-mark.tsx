import type { ReactNode } from 'react'
import type { AgentState, CommandStatus, TaskState } from '~/api/types'
import { cn } from '~/lib/cn'
import { s } from '~/strings'

// A state is a colour and a shape and a word. The shapes are drawn in a 12 × 12 box so that they
// look the same in lists, charts, timelines and trees.
const ring = <circle cx="6" cy="6" r="4.5" fill="none" stroke="currentColor" strokeWidth="1.5" />
const SHAPES: Record<TaskState, ReactNode> = {
  pending: ring,
  received: (
    <>
      {ring}
      <path d="M6 6V1.5A4.5 4.5 0 0 1 10.5 6Z" fill="currentColor" />
    </>
  ),
  started: (
    <>
      {ring}
      <path d="M6 1.5a4.5 4.5 0 0 0 0 9Z" fill="currentColor" />
    </>
  ),
  success: <circle cx="6" cy="6" r="5" fill="currentColor" />,
  failure: <path d="M2.2 2.2 9.8 9.8M9.8 2.2 2.2 9.8" stroke="currentColor" strokeWidth="2.1" strokeLinecap="round" />,
  retry: (
    <>
      <path d="M9.9 7.6A4.3 4.3 0 1 1 9.5 3.4" fill="none" stroke="currentColor" strokeWidth="1.6" strokeLinecap="round" />
      <path d="M10.9.9v3.6H7.3Z" fill="currentColor" />
    </>
  ),
  revoked: (
    <>
      {ring}
      <path d="m2.9 9.1 6.2-6.2" stroke="currentColor" strokeWidth="1.5" />
    </>
  ),
  rejected: (
    <>
      {ring}
      <path d="m2.9 2.9 6.2 6.2" stroke="currentColor" strokeWidth="1.5" />
      <path d="M6 3.4v5.2" stroke="currentColor" strokeWidth="1.2" />
    </>
  ),
  lost: (
    <>
      <circle cx="6" cy="6" r="5.1" fill="none" stroke="currentColor" strokeWidth="1.1" strokeDasharray="2.2 1.4" />
      <path d="M4.5 4.7c0-2.1 3.1-2 3.1-.1C7.6 5.9 6 5.7 6 7" fill="none" stroke="currentColor" strokeWidth="1.3" strokeLinecap="round" />
      <circle cx="6" cy="8.9" r=".85" fill="currentColor" />
    </>
  ),
  unknown: (
    <>
      <circle cx="6" cy="6" r="5.1" fill="none" stroke="currentColor" strokeWidth="1.1" strokeDasharray="2.2 1.4" />
      <path d="M3.8 6h4.4" stroke="currentColor" strokeWidth="1.5" />
    </>
  ),
}

/** The text colour of a state, as a class. */
export const COLORS: Record<TaskState, string> = {
  pending: 'text-st-pending',
  received: 'text-st-received',
  started: 'text-st-started',
  success: 'text-st-success',
  failure: 'text-st-failure',
  retry: 'text-st-retry',
  revoked: 'text-st-revoked',
  rejected: 'text-st-rejected',
  lost: 'text-st-lost',
  unknown: 'text-st-unknown',
}

/** The bare mark. Its word must stand beside it, or be given as `label`. */
export function Mark({ state, label, className }: { state: TaskState; label?: string; className?: string }) {
  return (
    <svg
      viewBox="0 0 12 12"
      className={cn('size-3 shrink-0', COLORS[state], state === 'started' && 'breathe', className)}
      {...(label === undefined ? { 'aria-hidden': true } : { role: 'img', 'aria-label': label })}
    >
      {SHAPES[state] ?? SHAPES.unknown}
    </svg>
  )
}

function Word({ mark, word, className }: { mark: TaskState; word: string; className?: string | undefined }) {
  return (
    <span className={cn('inline-flex items-center gap-1.5 whitespace-nowrap', COLORS[mark], className)}>
      <Mark state={mark} />
      {word}
    </span>
  )
}

export const known = (state: string): TaskState => (state in SHAPES ? (state as TaskState) : 'unknown')

export function StateWord({ state, className }: { state: TaskState; className?: string }) {
  return <Word mark={known(state)} word={s.states[known(state)]} className={className} />
}

const AGENT: Record<AgentState, TaskState> = {
  online: 'success', offline: 'failure', never_connected: 'pending', revoked: 'revoked',
}
const WORKER = { online: 'success', offline: 'failure', unknown: 'unknown' } as const
const COMMAND: Record<CommandStatus, TaskState> = {
  pending: 'pending', dispatched: 'received', acknowledged: 'started', completed: 'success',
  failed: 'failure', timed_out: 'lost', cancelled: 'revoked', unknown: 'unknown',
}

export function AgentWord({ state }: { state: AgentState }) {
  return <Word mark={AGENT[state] ?? 'unknown'} word={s.agentStates[state] ?? state} />
}
export function WorkerWord({ state }: { state: 'online' | 'offline' | 'unknown' }) {
  return <Word mark={WORKER[state] ?? 'unknown'} word={s.workerStates[state] ?? state} />
}
export function CommandWord({ status, className }: { status: CommandStatus; className?: string }) {
  return <Word mark={COMMAND[status] ?? 'unknown'} word={s.commandStates[status] ?? status} className={className} />
}
