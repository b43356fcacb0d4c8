// How rows that arrive live join a list that was loaded page by page.
import type { TaskRow } from '~/api/types'
import type { TaskFilter } from './query'

export const SORTS = ['-updated_at', 'updated_at', '-received_at', '-finished_at', '-runtime_ms'] as const
export type Sort = (typeof SORTS)[number]

export const keyOf = (row: { engine: string; task_id: string }): string => `${row.engine}:${row.task_id}`

/** Whether a row that came by the stream belongs into a list with this filter. */
export function matches(row: TaskRow, filter: TaskFilter & { since?: string; until?: string }): boolean {
  if (filter.state && filter.state.length > 0 && !filter.state.includes(row.state)) return false
  if (filter.name && row.name !== filter.name) return false
  if (filter.queue && row.queue !== filter.queue) return false
  if (filter.worker && row.worker_name !== filter.worker) return false
  if (filter.engine && row.engine !== filter.engine) return false
  if (filter.since && Date.parse(row.updated_at) < Date.parse(filter.since)) return false
  if (filter.until && Date.parse(row.updated_at) > Date.parse(filter.until)) return false
  if (!filter.search) return true
  // Arguments are not in the stream: a match there shows after the next load.
  const text = filter.search.toLowerCase()
  return (row.name ?? '').toLowerCase().includes(text) || row.task_id.toLowerCase().includes(text)
}

/** Negative when `a` comes before `b`. Rows without the value are last, as on the server. */
export function compare(sort: Sort): (a: TaskRow, b: TaskRow) => number {
  const down = sort.startsWith('-')
  const field = sort.replace('-', '') as 'updated_at' | 'received_at' | 'finished_at' | 'runtime_ms'
  return (a, b) => {
    const [x, y] = [a[field], b[field]]
    // Equal runs, and rows without one, by the latest change.
    if (x === y && sort === '-runtime_ms') return b.updated_at < a.updated_at ? -1 : Number(b.updated_at > a.updated_at)
    if (x === y) return 0
    if (x === null) return 1
    if (y === null) return -1
    return x < y === down ? 1 : -1
  }
}

// The time is that of the last change of state; a link or a name can come later without moving it.
const newer = (a: TaskRow, b: TaskRow | undefined): TaskRow => (b !== undefined && b.updated_at >= a.updated_at ? b : a)

/**
 * The list as it would be loaded now: newest versions, what no longer matches gone, what newly
 * matches in its place. Rows that belong behind the last loaded one stay out while there is more
 * to load, or the list would have a hole.
 */
export function arrange(
  base: readonly TaskRow[],
  live: ReadonlyMap<string, TaskRow>,
  filter: TaskFilter & { since?: string; until?: string },
  sort: Sort,
  hasMore: boolean,
): TaskRow[] {
  if (live.size === 0) return [...base]
  const order = compare(sort)
  const last = base.at(-1)
  const known = new Set<string>()
  const rows: TaskRow[] = []
  for (const row of base) {
    const key = keyOf(row)
    if (known.has(key)) continue
    known.add(key)
    const latest = newer(row, live.get(key))
    if (latest === row || matches(latest, filter)) rows.push(latest)
  }
  for (const [key, row] of live) {
    if (known.has(key) || !matches(row, filter)) continue
    if (hasMore && last !== undefined && order(row, last) > 0) continue
    rows.push(row)
  }
  return rows.sort(order)
}

/** The list as it stands under a resting pointer: same rows, same order, newest versions. */
export function hold(held: readonly string[], arranged: readonly TaskRow[], base: readonly TaskRow[], live: ReadonlyMap<string, TaskRow>) {
  const byKey = new Map<string, TaskRow>()
  for (const row of base) byKey.set(keyOf(row), row)
  for (const [key, row] of live) {
    const before = byKey.get(key)
    byKey.set(key, before === undefined ? row : newer(before, row))
  }
  const shown = new Set(held)
  const rows = held.map((key) => byKey.get(key)).filter((row) => row !== undefined)
  // Further pages that were loaded meanwhile go to the end; everything else waits.
  for (const row of base) if (!shown.has(keyOf(row)) && !live.has(keyOf(row))) rows.push(row)
  const present = new Set(rows.map(keyOf))
  const fresh = arranged.filter((row) => !present.has(keyOf(row))).length
  return { rows, fresh }
}
