import type { Task, TaskEvent } from '~/api/types'
import { cn } from '~/lib/cn'
import { duration } from '~/lib/format'
import { type Phase, type Segment, segments } from '~/lib/timeline'
import { useNow } from '~/lib/time'
import { s } from '~/strings'

const FILL: Record<Phase, string> = {
  waited: 'bg-st-received/35',
  ran: 'bg-st-started',
  retry_wait: 'bg-st-retry/50',
}

function wordOf(segment: Segment): string {
  if (segment.phase === 'ran') return segment.open ? s.task.running : s.task.ran
  if (segment.phase === 'retry_wait') return s.task.retryWait
  return segment.open ? s.task.waiting : s.task.waited
}

/** Waited, ran, waited for retry, ran …: to scale, with the exact numbers below. */
export function TimelineBar({ task, events }: { task: Task; events: TaskEvent[] }) {
  const now = useNow()
  const parts = segments(task, events, now)
  const total = parts.reduce((sum, part) => sum + part.toMs - part.fromMs, 0)
  if (parts.length === 0) return <p className="text-sm text-muted">{s.task.noTimes}</p>
  const words = parts.map((part) => `${wordOf(part)} ${duration(part.toMs - part.fromMs)}`)
  const lastRan = parts.findLastIndex((part) => part.phase === 'ran')
  return (
    <figure aria-label={s.task.timelineSum(words.join(', '))}>
      <div className="flex h-3 w-full gap-px overflow-hidden rounded-sm bg-line" aria-hidden>
        {parts.map((part, index) => (
          <div
            key={index}
            title={words[index]}
            style={{ flexGrow: total === 0 ? 1 : Math.max(part.toMs - part.fromMs, total / 500) }}
            className={cn(
              'min-w-0.5 basis-0', FILL[part.phase], part.open && 'breathe',
              part.phase === 'ran' && endFill(task, index, lastRan, part.open),
            )}
          />
        ))}
      </div>
      <figcaption className="mt-2 flex flex-wrap gap-x-4 gap-y-1 text-sm">
        {parts.map((part, index) => (
          <span key={index} className="inline-flex items-center gap-1.5">
            <span
              aria-hidden
              className={cn('size-2.5 rounded-sm', FILL[part.phase], part.phase === 'ran' && endFill(task, index, lastRan, part.open))}
            />
            <span className="text-muted">{wordOf(part)}</span>
            <span className="num">{duration(part.toMs - part.fromMs)}</span>
          </span>
        ))}
      </figcaption>
    </figure>
  )
}

/** A run has the colour of how it ended: the last of the task's state, earlier ones of a retry. */
function endFill(task: Task, index: number, lastRan: number, open: boolean): string {
  if (open) return 'bg-st-started'
  if (index < lastRan) return 'bg-st-retry'
  if (task.state === 'success') return 'bg-st-success'
  if (task.state === 'failure') return 'bg-st-failure'
  if (task.state === 'revoked') return 'bg-st-revoked'
  return task.state === 'retry' ? 'bg-st-retry' : 'bg-st-started'
}
