import { Link } from '@tanstack/react-router'
import type { Outcomes, Stats, TaskState } from '~/api/types'
import { Count } from '~/components/bits'
import { Mark } from '~/components/state-mark'
import { count, percent, rate } from '~/lib/format'
import type { Range } from '~/lib/range'
import { s } from '~/strings'
import { endedCount } from './verdict'

const NOW: TaskState[] = ['pending', 'received', 'started', 'retry']

/** What ended in the range, each number beside the one before it; and what is under way now. */
export function Numbers({ slug, stats, finished, range }: { slug: string; stats: Stats; finished: Outcomes; range: Range }) {
  const ended = endedCount(finished)
  const compares = range.fromMs === null
  const before = (n: number) => (compares ? `${count(n)} ${s.overview.before}` : '')
  const mark = stats.incomplete ? <span title={s.overview.incomplete(count(stats.lost_events))} className="self-center"><Mark state="lost" label={s.overview.incompleteShort} /></span> : null
  return (
    <dl className="grid grid-cols-2 divide-line rounded-md border border-line bg-surface sm:grid-cols-4 sm:divide-x">
      <Number name={s.overview.finished} note={`${rate(ended / range.minutes)} ${s.overview.perMinute}`} before={before(endedCount(stats.previous))} mark={mark}>
        <Count n={ended} />
      </Number>
      <Number name={s.overview.failed} note={ended === 0 ? '' : percent(finished.failure / ended)} before={before(stats.previous.failure)} mark={mark}>
        <Count n={finished.failure} className={finished.failure > 0 ? 'text-st-failure' : ''} />
      </Number>
      <Number name={s.overview.retried} note="" before={before(stats.previous.retry)} mark={mark}>
        <Count n={finished.retry} />
      </Number>
      <div className="min-w-0 px-4 py-2.5 max-sm:col-span-2">
        <dt className="text-xs text-muted">{s.overview.now}</dt>
        <dd className="mt-1 grid grid-cols-2 gap-x-3 gap-y-0.5 text-sm">
          {NOW.map((state) => (
            <Link key={state} to="/projects/$slug/tasks" params={{ slug }} search={{ state: [state] }} className="flex items-center gap-1.5 rounded hover:underline">
              <Mark state={state} className={state === 'started' && !stats.states.started ? '[animation:none]' : ''} />
              <Count n={stats.states[state] ?? 0} className="font-medium" />
              <span className="text-xs text-muted">{s.states[state]}</span>
            </Link>
          ))}
        </dd>
      </div>
    </dl>
  )
}

function Number({ name, note, before, mark, children }: { name: string; note: string; before: string; mark: React.ReactNode; children: React.ReactNode }) {
  return (
    <div className="min-w-0 px-4 py-2.5">
      <dt className="text-xs text-muted">{name}</dt>
      <dd className="flex flex-wrap items-baseline gap-x-2">
        <span className="num text-xl font-semibold">{children}</span>
        <span className="num text-sm">{note}</span>
        <span className="num text-xs text-muted">{before}</span>
        {mark}
      </dd>
    </div>
  )
}
