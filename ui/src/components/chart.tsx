import 'uplot/dist/uPlot.min.css'
import { useEffect, useMemo, useRef, useState } from 'react'
import uPlot from 'uplot'
import type { Bucket, Outcomes, TaskState } from '~/api/types'
import { count, exactCount } from '~/lib/format'
import { clockTime } from '~/lib/time'
import { useWidth } from '~/lib/use-width'
import { s } from '~/strings'
import { Mark } from './state-mark'

export interface Series { key: keyof Outcomes; state: TaskState }

const HEIGHT_PX = 168
const HATCH_STEP_PX = 6
const DAY_MS = 86_400_000

/** Stacked bars over time, with their table and a sentence for those who cannot see them. */
export function TimeBars({
  title, noun, buckets, bucketMinutes, series, onZoom, onPick,
}: {
  title: string
  noun: string
  buckets: Bucket[]
  bucketMinutes: number
  series: Series[]
  onZoom: (fromMs: number, toMs: number) => void
  onPick: (fromMs: number, toMs: number) => void
}) {
  const [table, setTable] = useState(false)
  const withDay = buckets.length > 0 && buckets.length * bucketMinutes * 60_000 > DAY_MS
  return (
    <section className="min-w-0 rounded-md border border-line bg-surface">
      <header className="flex min-h-10 flex-wrap items-center gap-x-3 border-b border-line px-4 py-1.5">
        <h2 className="text-sm font-semibold">{title}</h2>
        <span className="text-xs text-muted">{s.chart.perBucket(bucketMinutes)}</span>
        <span className="flex flex-wrap items-center gap-3 text-xs text-muted max-sm:order-last max-sm:w-full sm:ml-auto">
          {series.map(({ key, state }) => (
            <span key={key} className="inline-flex items-center gap-1"><Mark state={state} />{s.states[state]}</span>
          ))}
        </span>
        <button type="button" className="rounded px-1 text-xs text-muted underline underline-offset-2 hover:text-ink max-sm:ml-auto" onClick={() => setTable(!table)} aria-pressed={table}>
          {table ? s.chart.chart : s.chart.table}
        </button>
      </header>
      <p className="sr-only">{summary(buckets, series, noun, withDay)}</p>
      {table ? (
        <BarTable buckets={buckets} series={series} withDay={withDay} title={title} />
      ) : (
        <Canvas {...{ title, buckets, bucketMinutes, series, onZoom, onPick, withDay }} />
      )}
    </section>
  )
}

const totalOf = (bucket: Bucket, series: Series[]) => series.reduce((sum, one) => sum + bucket[one.key], 0)

function summary(buckets: Bucket[], series: Series[], noun: string, withDay: boolean): string {
  const total = buckets.reduce((sum, bucket) => sum + totalOf(bucket, series), 0)
  if (total === 0) return s.chart.summaryNone(noun)
  const peak = buckets.reduce((best, bucket) => (totalOf(bucket, series) > totalOf(best, series) ? bucket : best))
  return s.chart.summary(exactCount(total), noun, exactCount(totalOf(peak, series)), clockTime(Date.parse(peak.at), withDay))
}

function BarTable({ buckets, series, withDay, title }: { buckets: Bucket[]; series: Series[]; withDay: boolean; title: string }) {
  return (
    <div className="overflow-y-auto" style={{ height: HEIGHT_PX + 16 }} tabIndex={0} role="region" aria-label={title}>
      <table className="num w-full text-sm">
        <thead className="sticky top-0 bg-surface text-xs text-muted">
          <tr>
            <th scope="col" className="px-4 py-1 text-left font-normal">{s.chart.time}</th>
            {series.map(({ key, state }) => <th key={key} scope="col" className="px-4 py-1 text-right font-normal">{s.states[state]}</th>)}
          </tr>
        </thead>
        <tbody>
          {[...buckets].reverse().map((bucket) => (
            <tr key={bucket.at} className="border-t border-line">
              <th scope="row" className="px-4 py-1 text-left font-normal">
                {clockTime(Date.parse(bucket.at), withDay)}
                {!bucket.complete && <span className="ml-2 text-xs text-muted">{s.chart.unfinished}</span>}
              </th>
              {series.map(({ key }) => <td key={key} className="px-4 py-1 text-right">{exactCount(bucket[key])}</td>)}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

interface CanvasProps {
  title: string
  buckets: Bucket[]
  bucketMinutes: number
  series: Series[]
  onZoom: (fromMs: number, toMs: number) => void
  onPick: (fromMs: number, toMs: number) => void
  withDay: boolean
}

function Canvas({ title, buckets, bucketMinutes, series, onZoom, onPick, withDay }: CanvasProps) {
  const box = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot | null>(null)
  const width = useWidth(box)
  const dark = useDark()
  const [hover, setHover] = useState<number | null>(null)
  const latest = useRef({ buckets, onZoom, onPick, bucketMinutes })
  useEffect(() => {
    latest.current = { buckets, onZoom, onPick, bucketMinutes }
  })

  const data = useMemo(() => stack(buckets, series), [buckets, series])
  useEffect(() => {
    const element = box.current
    if (element === null || width === 0) return
    const made = new uPlot(options(element, width, series, withDay, bucketMinutes, latest, setHover), stack(latest.current.buckets, series), element)
    plot.current = made
    return () => {
      plot.current = null
      made.destroy()
    }
  }, [width, series, withDay, bucketMinutes, dark])
  useEffect(() => plot.current?.setData(data), [data])

  const pointed = hover === null ? undefined : buckets[hover]
  return (
    <div className="relative px-2 pt-2" data-chart>
      <div ref={box} role="img" aria-label={title} style={{ height: HEIGHT_PX }} title={s.chart.zoomHint} />
      <p className="num flex h-5 flex-wrap items-center gap-x-3 overflow-hidden px-2 text-xs text-muted" aria-hidden>
        {pointed && (
          <>
            <span>{clockTime(Date.parse(pointed.at), withDay)}</span>
            {[...series].reverse().map(({ key, state }) => (
              <span key={key} className="inline-flex items-center gap-1"><Mark state={state} className="size-2.5" />{exactCount(pointed[key])}</span>
            ))}
            {!pointed.complete && <span>{s.chart.unfinished}</span>}
          </>
        )}
      </p>
    </div>
  )
}

/** The first series lies at the bottom: each row of data is the sum up to and with it, drawn back to front. */
function stack(buckets: Bucket[], series: Series[]): uPlot.AlignedData {
  const at = buckets.map((bucket) => Date.parse(bucket.at) / 1_000)
  const sums = new Array<number>(buckets.length).fill(0)
  const rows = series.map(({ key }) => buckets.map((bucket, i) => (sums[i] = (sums[i] ?? 0) + bucket[key])))
  return [at, ...rows.reverse()]
}

function useDark(): boolean {
  const [dark, setDark] = useState(() => document.documentElement.classList.contains('dark'))
  useEffect(() => {
    const observer = new MutationObserver(() => setDark(document.documentElement.classList.contains('dark')))
    observer.observe(document.documentElement, { attributeFilter: ['class'] })
    return () => observer.disconnect()
  }, [])
  return dark
}

type Latest = { current: { buckets: Bucket[]; onZoom: CanvasProps['onZoom']; onPick: CanvasProps['onPick']; bucketMinutes: number } }

function options(
  element: HTMLElement, width: number, series: Series[], withDay: boolean, bucketMinutes: number,
  latest: Latest, onHover: (index: number | null) => void,
): uPlot.Options {
  const css = getComputedStyle(element)
  const token = (name: string) => css.getPropertyValue(name).trim()
  const step = bucketMinutes * 60
  const font = '11px "Inter Variable", system-ui, sans-serif'
  const axis = { stroke: token('--muted'), font, ticks: { show: false } }
  return {
    width,
    height: HEIGHT_PX,
    padding: [8, 8, 0, 0],
    legend: { show: false },
    scales: {
      // A bar stands on the time between its start and its end.
      x: { time: true, range: (_u, min, max) => [min, max + step] },
      y: { range: (_u, _min, max) => [0, Math.max(1, (max ?? 0) * 1.08)] },
    },
    axes: [
      { ...axis, grid: { show: false }, size: 24, space: withDay ? 90 : 60, values: (_u, ticks) => ticks.map((t) => clockTime(t * 1_000, withDay)) },
      {
        ...axis, size: 44, space: 34, grid: { stroke: token('--line'), width: 1 },
        incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6],
        values: (_u, ticks) => ticks.map((t) => count(t)),
      },
    ],
    series: [
      {},
      ...[...series].reverse().map(({ state }) => ({
        fill: token(`--st-${state}`), width: 0, points: { show: false },
        paths: uPlot.paths.bars?.({ size: [0.86, 40], align: 1 }) as uPlot.Series.PathBuilder,
      })),
    ],
    cursor: {
      sync: { key: 'z4j-time' },
      y: false,
      points: { show: false },
      drag: { x: true, y: false, setScale: false },
    },
    hooks: {
      setCursor: [(u) => onHover(u.cursor.idx ?? null)],
      setSelect: [(u) => {
        if (u.select.width < 6) return
        const from = u.posToVal(u.select.left, 'x') * 1_000
        const to = u.posToVal(u.select.left + u.select.width, 'x') * 1_000
        latest.current.onZoom(from, to)
      }],
      ready: [(u) => u.over.addEventListener('click', () => {
        const at = u.cursor.idx
        const bucket = at === null || at === undefined ? undefined : latest.current.buckets[at]
        if (bucket === undefined || u.select.width >= 6) return
        const from = Date.parse(bucket.at)
        latest.current.onPick(from, from + latest.current.bucketMinutes * 60_000)
      })],
      draw: [(u) => hatch(u, latest.current.buckets, step, token('--surface'))],
    },
  }
}

/** The bucket that is still filling is striped: its bar will grow. */
function hatch(u: uPlot, buckets: Bucket[], step: number, colour: string): void {
  const open = buckets.find((bucket) => !bucket.complete)
  if (open === undefined) return
  const from = Date.parse(open.at) / 1_000
  const left = u.valToPos(from, 'x', true)
  const right = u.valToPos(from + step, 'x', true)
  const { top, height } = u.bbox
  const { ctx } = u
  ctx.save()
  ctx.beginPath()
  ctx.rect(left, top, right - left, height)
  ctx.clip()
  ctx.strokeStyle = colour
  ctx.lineWidth = 2 * devicePixelRatio
  const gap = HATCH_STEP_PX * devicePixelRatio
  for (let x = left - height; x < right; x += gap) {
    ctx.beginPath()
    ctx.moveTo(x, top + height)
    ctx.lineTo(x + height, top)
    ctx.stroke()
  }
  ctx.restore()
}
