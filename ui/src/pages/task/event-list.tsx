import type { TaskEvent } from '~/api/types'
import { Exact } from '~/components/bits'
import { Bones } from '~/components/page'
import { Mark } from '~/components/state-mark'
import type { TaskState } from '~/api/types'
import { duration } from '~/lib/format'
import { s } from '~/strings'
import { JsonTree } from './json-tree'

const MARKS: Record<string, TaskState> = {
  'task.sent': 'pending', 'task.received': 'received', 'task.started': 'started', 'task.succeeded': 'success',
  'task.failed': 'failure', 'task.retried': 'retry', 'task.revoked': 'revoked', 'task.rejected': 'rejected',
}
/** An event that took longer than this to arrive was buffered somewhere; that is worth a word. */
const LATE_MS = 2_000

export function EventList({ events, loading }: { events: TaskEvent[]; loading: boolean }) {
  if (loading) return <Bones rows={3} />
  if (events.length === 0) return <p className="p-4 text-sm text-muted">{s.task.noEvents}</p>
  return (
    <ol className="divide-y divide-line">
      {events.map((event, index) => {
        const before = events[index - 1]
        const at = Date.parse(event.occurred_at)
        const late = Date.parse(event.received_at) - at
        const hasData = event.data !== null && typeof event.data === 'object' && Object.keys(event.data).length > 0
        return (
          <li key={event.id} className="text-sm">
            <details>
              <summary className="flex min-h-9 flex-wrap items-center gap-x-3 px-4 py-1 hover:bg-hover">
                <Mark state={MARKS[event.kind] ?? 'unknown'} />
                <code className="w-32">{event.kind}</code>
                <Exact at={event.occurred_at} className="text-muted" />
                {before && <span className="num text-xs text-muted">+{duration(at - Date.parse(before.occurred_at))}</span>}
                {late > LATE_MS && <span className="text-xs text-st-retry">{s.task.lateBy(duration(late))}</span>}
                <span className="ml-auto truncate text-xs text-muted">{event.worker}</span>
              </summary>
              <div className="border-t border-line bg-sunken px-4 py-2 font-mono text-sm">
                {hasData ? <JsonTree value={event.data} depth={1} /> : <span className="font-sans text-muted">{s.common.none}</span>}
              </div>
            </details>
          </li>
        )
      })}
    </ol>
  )
}
