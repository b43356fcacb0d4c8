import { useInfiniteQuery } from '@tanstack/react-query'
import { useEffect, useMemo, useRef, useState } from 'react'
import { useStreamEvent } from '~/api/live'
import { tasksQuery } from '~/api/queries'
import type { TaskRow } from '~/api/types'
import { arrange, hold, keyOf, type Sort } from '~/lib/live-rows'
import type { TaskFilter } from '~/lib/query'

/** Changes are shown in steps, so that a busy brain does not make the list flicker. */
const STEP_MS = 400
/** Beyond this many rows that came live, loading the list anew is cheaper than keeping them. */
const LIVE_ROWS_MAX = 3_000

/**
 * The rows of one list: loaded pages plus what the stream brought since.
 *
 * While `frozen`, rows change in place but none appears, leaves or moves.
 */
export function useLiveTasks(slug: string, filter: TaskFilter & { since?: string; until?: string }, sort: Sort, frozen: boolean) {
  const query = useInfiniteQuery(tasksQuery(slug, { ...filter, sort }))
  const live = useRef(new Map<string, TaskRow>())
  const changed = useRef(new Map<string, number>())
  const timer = useRef<ReturnType<typeof setTimeout> | null>(null)
  const [version, setVersion] = useState(0)
  const [held, setHeld] = useState<string[] | null>(null)
  const shownKeys = useRef<string[]>([])
  const { refetch } = query

  useStreamEvent('tasks', ({ items }) => {
    for (const row of items) {
      const key = keyOf(row)
      const before = live.current.get(key)
      if (before !== undefined && before.updated_at > row.updated_at) continue
      live.current.set(key, row)
      changed.current.set(key, Date.now() + STEP_MS)
    }
    timer.current ??= setTimeout(() => {
      timer.current = null
      if (live.current.size > LIVE_ROWS_MAX) {
        live.current.clear()
        changed.current.clear()
        void refetch()
      }
      setVersion((n) => n + 1)
    }, STEP_MS)
  })
  useStreamEvent('reset', () => {
    live.current.clear()
    changed.current.clear()
    setVersion((n) => n + 1)
  })
  useEffect(() => () => {
    if (timer.current !== null) clearTimeout(timer.current)
  }, [])

  const base = useMemo(() => query.data?.pages.flatMap((page) => page.items) ?? [], [query.data])
  const arranged = useMemo(
    () => arrange(base, live.current, filter, sort, query.hasNextPage),
    // `version` stands for the content of `live`.
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [base, version, sort, query.hasNextPage],
  )
  const shown = useMemo(
    () => (held === null ? { rows: arranged, fresh: 0 } : hold(held, arranged, base, live.current)),
    [held, arranged, base],
  )

  useEffect(() => {
    shownKeys.current = shown.rows.map(keyOf)
  })
  useEffect(() => {
    setHeld(frozen ? shownKeys.current : null)
  }, [frozen])

  return {
    query,
    rows: shown.rows,
    fresh: shown.fresh,
    /** Lets the waiting rows in now; the list goes on standing still afterwards. */
    showFresh: () => setHeld(arranged.map(keyOf)),
    changedRecently: (key: string) => (changed.current.get(key) ?? 0) > Date.now() - 900,
  }
}
