// One time range for the whole page, kept in the URL: a named span up to now, or two moments.

export interface RangeSearch {
  range?: string
  from?: string
  to?: string
}

export const SPANS = [
  { key: '15m', minutes: 15 },
  { key: '1h', minutes: 60 },
  { key: '6h', minutes: 360 },
  { key: '24h', minutes: 1_440 },
  { key: '7d', minutes: 10_080 },
] as const

export const WINDOW_MINUTES_MAX = 10_080
const BUCKETS_MAX = 96

export interface Range {
  /** Absolute start and end in milliseconds; the end is null for "now". */
  fromMs: number | null
  toMs: number | null
  minutes: number
  key: string | null
}

/** What the URL says, or `fallback` when it says nothing that makes sense. */
export function readRange(search: RangeSearch, fallback: string | null): Range | null {
  const from = Date.parse(search.from ?? '')
  const to = Date.parse(search.to ?? '')
  if (Number.isFinite(from) && Number.isFinite(to) && to > from) {
    return { fromMs: from, toMs: to, minutes: Math.max(1, Math.ceil((to - from) / 60_000)), key: null }
  }
  const key = SPANS.find((span) => span.key === search.range)?.key ?? fallback
  const span = SPANS.find((one) => one.key === key)
  return span ? { fromMs: null, toMs: null, minutes: span.minutes, key: span.key } : null
}

/** The brain answers no more buckets than this in one window. */
const ANSWER_BUCKETS_MAX = 1_500

/**
 * A bucket that gives a chart of `minutes` between 15 and about 100 bars, out of an answer for a
 * window that may be wider (it always ends now).
 */
export function bucketMinutes(minutes: number, windowMinutes = minutes): number {
  for (const size of [1, 2, 5, 10, 15, 30, 60, 120, 180, 360]) {
    if (minutes / size <= BUCKETS_MAX && windowMinutes / size <= ANSWER_BUCKETS_MAX) return Math.min(size, windowMinutes)
  }
  return 720
}

/** The list filter for a range: `since` and `until` in the brain's form. */
export function rangeFilter(range: Range | null, nowMs: number): { since?: string; until?: string } {
  if (range === null) return {}
  if (range.fromMs !== null && range.toMs !== null) {
    return { since: new Date(range.fromMs).toISOString(), until: new Date(range.toMs).toISOString() }
  }
  // Whole minutes: the same key for the same minute, so that the cache can help.
  const start = Math.floor(nowMs / 60_000) * 60_000 - range.minutes * 60_000
  return { since: new Date(start).toISOString() }
}
