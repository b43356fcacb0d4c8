import { useQuery } from '@tanstack/react-query'
import { getRouteApi, useNavigate } from '@tanstack/react-router'
import { lazy, Suspense, useMemo, useState } from 'react'
import { recentTasksQuery, statsQuery, trendsQuery } from '~/api/queries'
import type { Bucket, Outcomes } from '~/api/types'
import type { Series } from '~/components/chart'
import { OVERVIEW_RANGE } from '~/components/frame/time-range'
import { Bones, Failed, PageFrame } from '~/components/page'
import { useProject } from '~/lib/project'
import { bucketMinutes, type Range, readRange, WINDOW_MINUTES_MAX } from '~/lib/range'
import { serverNow } from '~/lib/time'
import { s } from '~/strings'
import { ConnectSteps } from '../connect/steps'
import { FleetStrip } from './fleet'
import { RecentFailures } from './recent'
import { Verdict } from './verdict'
import { Numbers } from './numbers'

const route = getRouteApi('/_app/projects/$slug/')
// The chart library is large and not needed to answer the first question.
const TimeBars = lazy(() => import('~/components/chart').then((m) => ({ default: m.TimeBars })))

const FINISHED: Series[] = [
  { key: 'success', state: 'success' },
  { key: 'failure', state: 'failure' },
  { key: 'rejected', state: 'rejected' },
  { key: 'revoked', state: 'revoked' },
]
const TROUBLE: Series[] = [
  { key: 'failure', state: 'failure' },
  { key: 'retry', state: 'retry' },
]
const NO_BUCKETS: Bucket[] = []

export function OverviewPage() {
  const { slug } = useProject()
  const [firstRun, setFirstRun] = useState<boolean | null>(null)
  const range = readRange(route.useSearch(), OVERVIEW_RANGE) as Range
  const stats = useQuery(statsQuery(slug, windowOf(range)))

  if (stats.error && !stats.data) {
    return (
      <PageFrame title={s.overview.title}>
        <Failed error={stats.error} what={s.errors.list(s.overview.title)} onRetry={() => void stats.refetch()} />
      </PageFrame>
    )
  }
  if (!stats.data) return <PageFrame title={s.overview.title}><Bones rows={8} /></PageFrame>
  // Once shown, the first-run page stays until its person leaves it: the last step turns green here.
  if (firstRun || (firstRun === null && Object.values(stats.data.states).every((n) => n === 0))) {
    return (
      <PageFrame title={s.connect.first} note={s.connect.text}>
        <ConnectSteps slug={slug} onShown={() => setFirstRun(true)} onDone={() => setFirstRun(false)} />
      </PageFrame>
    )
  }
  return <Body slug={slug} range={range} />
}

/** The window to ask for: up to now, wide enough to hold a chosen past range. */
function windowOf(range: Range): number {
  if (range.fromMs === null) return range.minutes
  return Math.min(WINDOW_MINUTES_MAX, Math.max(1, Math.ceil((serverNow() - range.fromMs) / 60_000)))
}

function Body({ slug, range }: { slug: string; range: Range }) {
  const navigate = useNavigate()
  const window = windowOf(range)
  const size = bucketMinutes(range.minutes, window)
  const stats = useQuery(statsQuery(slug, window))
  const trends = useQuery(trendsQuery(slug, window, size))
  const span = range.fromMs === null ? {} : { since: new Date(range.fromMs).toISOString(), until: new Date(range.toMs ?? 0).toISOString() }
  const failures = useQuery(recentTasksQuery(slug, { state: 'failure', sort: '-updated_at', limit: 8, ...span }))
  const buckets = useMemo(() => clip(trends.data?.buckets ?? NO_BUCKETS, range, size), [trends.data, range, size])
  const finished = useMemo(() => (range.fromMs === null ? stats.data?.finished : sum(buckets)), [stats.data, buckets, range.fromMs])

  // Whole buckets: the charts and the lists below must speak of the same time.
  const zoom = (from: number, to: number) => {
    const ms = size * 60_000
    const start = Math.floor(from / ms) * ms
    const end = Math.max(Math.ceil(to / ms) * ms, start + ms)
    void navigate({ to: '.', search: { from: new Date(start).toISOString(), to: new Date(end).toISOString() } })
  }
  const pick = (state: string[] | undefined) => (from: number, to: number) =>
    void navigate({
      to: '/projects/$slug/tasks', params: { slug },
      search: { ...(state && { state }), from: new Date(from).toISOString(), to: new Date(to).toISOString() },
    })
  if (!stats.data || !finished) return <PageFrame title={s.overview.title}><Bones rows={8} /></PageFrame>
  return (
    <PageFrame title={s.overview.title}>
      <div className="space-y-4">
        <Verdict slug={slug} stats={stats.data} finished={finished} buckets={buckets} range={range} failures={failures.data?.items} />
        <Numbers slug={slug} stats={stats.data} finished={finished} range={range} />
        {trends.error ? (
          <Failed error={trends.error} what={s.errors.list(s.overview.throughput)} onRetry={() => void trends.refetch()} />
        ) : (
          <Suspense fallback={<div className="grid h-[226px] gap-4 xl:grid-cols-2" />}>
            <div className="grid gap-4 xl:grid-cols-2">
              <TimeBars title={s.overview.throughput} noun={s.chart.finished} buckets={buckets} bucketMinutes={size} series={FINISHED} onZoom={zoom} onPick={pick(undefined)} />
              <TimeBars title={s.overview.failures} noun={s.chart.failures} buckets={buckets} bucketMinutes={size} series={TROUBLE} onZoom={zoom} onPick={pick(['failure', 'retry'])} />
            </div>
          </Suspense>
        )}
        <div className="grid items-start gap-4 xl:grid-cols-[minmax(0,2fr)_minmax(0,1fr)]">
          <RecentFailures slug={slug} query={failures} />
          <FleetStrip slug={slug} stats={stats.data} />
        </div>
      </div>
    </PageFrame>
  )
}

function clip(buckets: Bucket[], range: Range, size: number): Bucket[] {
  const { fromMs, toMs } = range
  if (fromMs === null || toMs === null) return buckets
  return buckets.filter((bucket) => {
    const at = Date.parse(bucket.at)
    return at + size * 60_000 > fromMs && at < toMs
  })
}

function sum(buckets: Bucket[]): Outcomes {
  const total = { success: 0, failure: 0, revoked: 0, rejected: 0, retry: 0 }
  for (const bucket of buckets) for (const key of Object.keys(total) as (keyof Outcomes)[]) total[key] += bucket[key]
  return total
}
