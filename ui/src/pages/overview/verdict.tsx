import { Link } from '@tanstack/react-router'
import type { Bucket, Outcomes, Stats, TaskRow } from '~/api/types'
import { Ago } from '~/components/bits'
import { Mark } from '~/components/state-mark'
import { cn } from '~/lib/cn'
import { count, percent } from '~/lib/format'
import type { Range } from '~/lib/range'
import { s } from '~/strings'

export const endedCount = (o: Outcomes): number => o.success + o.failure + o.revoked + o.rejected

/** Is something wrong, and since when: the first thing to read on the page. */
export function Verdict({
  slug, stats, finished, buckets, range, failures,
}: { slug: string; stats: Stats; finished: Outcomes; buckets: Bucket[]; range: Range; failures: TaskRow[] | undefined }) {
  const window = range.key === null ? s.overview.windowAbs : (s.overview.window[range.key] ?? '')
  const ended = endedCount(finished)
  const failing = finished.failure > 0
  const since = failing ? failingSince(buckets) : null
  const problems = [
    stats.agents.online === 0 ? s.overview.noAgent : stats.agents.offline > 0 ? s.overview.agentsOffline(stats.agents.offline) : null,
    stats.workers.offline > 0 ? s.overview.workersOffline(stats.workers.offline) : null,
  ].filter((one) => one !== null)
  const calm = !failing && problems.length === 0
  const worst = failing && failures ? mostFrequent(failures) : null
  return (
    <section
      aria-label={calm ? s.overview.calm : s.overview.attention}
      data-verdict={calm ? 'calm' : 'attention'}
      className={cn('rounded-md border px-4 py-3', failing ? 'border-danger/45 bg-danger-soft' : problems.length > 0 ? 'border-st-lost/45 bg-warn-soft' : 'border-line bg-surface')}
    >
      <p className="flex items-center gap-2.5 text-lg font-semibold">
        <Mark state={failing ? 'failure' : calm ? 'success' : 'lost'} className="size-3.5" />
        {failing ? s.overview.failing(count(finished.failure), count(ended), percent(finished.failure / Math.max(1, ended))) : calm ? s.overview.calm : problems[0]}
      </p>
      <ul className="mt-1 flex flex-wrap gap-x-5 gap-y-0.5 pl-6 text-sm">
        {!failing && <li className="text-muted">{ended === 0 ? s.overview.noneFinished(window) : s.overview.calmDetail(count(ended), window)}</li>}
        {failing && range.fromMs === null && <li>{compare(finished.failure, stats.previous.failure)}</li>}
        {since !== null && <li>{s.overview.since} <Ago at={since} className="font-medium" /></li>}
        {failing && failures?.[0] && <li>{s.overview.lastFailure} <Ago at={failures[0].updated_at} className="font-medium" /></li>}
        {worst !== null && (
          <li className="min-w-0 break-words">
            {s.overview.worst}{' '}
            <Link to="/projects/$slug/tasks" params={{ slug }} search={{ state: ['failure'], name: worst }} className="text-accent underline underline-offset-2"><code>{worst}</code></Link>
          </li>
        )}
        {problems.slice(failing ? 0 : 1).map((problem) => <li key={problem}>{problem}</li>)}
        {stats.incomplete && <li>{s.overview.incomplete(count(stats.lost_events))}</li>}
      </ul>
    </section>
  )
}

function compare(now: number, before: number): string {
  const was = count(before)
  if (now > before) return s.overview.more(was)
  return now < before ? s.overview.less(was) : s.overview.same(was)
}

/** The start of the unbroken run of buckets with failures that reaches up to now, if it does. */
export function failingSince(buckets: Bucket[]): string | null {
  let since: string | null = null
  let quiet = 0
  for (const bucket of [...buckets].reverse()) {
    if (bucket.failure > 0) {
      since = bucket.at
      quiet = 0
    } else if (bucket.complete && ++quiet > 1) break
  }
  return since
}

function mostFrequent(rows: TaskRow[]): string | null {
  const counts = new Map<string, number>()
  for (const row of rows) if (row.name !== null) counts.set(row.name, (counts.get(row.name) ?? 0) + 1)
  const [first] = [...counts].sort((a, b) => b[1] - a[1])
  return first && first[1] > 1 ? first[0] : null
}
