import { type InfiniteData, type QueryClient, useQueryClient } from '@tanstack/react-query'
import { createContext, type ReactNode, useContext, useEffect, useRef, useState, useSyncExternalStore } from 'react'
import { type LiveState, LiveStream, type StreamEvents } from './stream'
import type { Command, Page, Stats, TaskRow } from './types'

const Live = createContext<LiveStream | null>(null)
const QUIET: LiveState = { status: 'connecting', sinceMs: null }
/** Rows that changed make numbers and open details old; they are refetched at most this often. */
const REFRESH_EVERY_MS = 3_000

/** Opens the project's stream for everything below it and folds what it brings into the cache. */
export function LiveProvider({ slug, children }: { slug: string; children: ReactNode }) {
  const client = useQueryClient()
  const [stream, setStream] = useState<LiveStream | null>(null)

  useEffect(() => {
    const next = new LiveStream(slug, () => void client.invalidateQueries({ queryKey: ['me'] }))
    const stop = foldIntoCache(next, client, slug)
    next.start()
    setStream(next)
    return () => {
      stop()
      next.close()
    }
  }, [slug, client])

  return <Live.Provider value={stream}>{children}</Live.Provider>
}

export const useLiveStream = (): LiveStream | null => useContext(Live)

export function useLiveState(): LiveState {
  const stream = useContext(Live)
  return useSyncExternalStore(stream?.watch ?? noWatch, stream?.snapshot ?? quiet, quiet)
}

const noWatch = () => () => undefined
const quiet = () => QUIET

/** Calls `listener` for each message of one kind while the component is there. */
export function useStreamEvent<K extends keyof StreamEvents>(event: K, listener: (data: StreamEvents[K]) => void): void {
  const stream = useContext(Live)
  const latest = useRef(listener)
  useEffect(() => {
    latest.current = listener
  })
  useEffect(() => stream?.on(event, (data) => latest.current(data)), [stream, event])
}

function foldIntoCache(stream: LiveStream, client: QueryClient, slug: string): () => void {
  const dirty = new Set<string>()
  let timer: ReturnType<typeof setTimeout> | null = null
  const refreshSoon = (...keys: string[]) => {
    for (const key of keys) dirty.add(key)
    timer ??= setTimeout(() => {
      timer = null
      for (const key of dirty) void client.invalidateQueries({ queryKey: JSON.parse(key) as unknown[] })
      dirty.clear()
    }, REFRESH_EVERY_MS)
  }
  const key = (...parts: unknown[]) => JSON.stringify(['p', slug, ...parts])

  const stops = [
    stream.on('reset', () => void client.invalidateQueries({ queryKey: ['p', slug] })),
    stream.on('tasks', ({ items }) => {
      for (const row of items) patchTask(client, slug, row)
      refreshSoon(key('stats'), key('trends'), key('recent'))
    }),
    stream.on('counters', ({ states }) => {
      if (states === undefined) return
      client.setQueriesData<Stats>({ queryKey: ['p', slug, 'stats'] }, (old) => old && { ...old, states })
    }),
    stream.on('agent', (agent) => {
      patchList(client, ['p', slug, 'agents'], agent)
      refreshSoon(key('stats'))
    }),
    stream.on('worker', (worker) => {
      patchList(client, ['p', slug, 'workers'], worker)
      refreshSoon(key('worker', worker.id), key('stats'))
    }),
    stream.on('queue', (queue) => patchList(client, ['p', slug, 'queues'], queue)),
    stream.on('command', (command) => patchCommand(client, slug, command)),
  ]
  return () => {
    for (const stop of stops) stop()
    if (timer !== null) clearTimeout(timer)
  }
}

function patchTask(client: QueryClient, slug: string, row: TaskRow): void {
  const queryKey = ['p', slug, 'task', row.engine, row.task_id]
  const known = client.getQueryData<TaskRow>(queryKey)
  if (known === undefined) return
  client.setQueryData<TaskRow>(queryKey, { ...known, ...row })
  // Arguments, result, traceback and events travel with the detail only.
  void client.invalidateQueries({ queryKey })
}

function patchList<T extends { id: string }>(client: QueryClient, queryKey: unknown[], item: T): void {
  client.setQueryData<Page<T>>(queryKey, (old) => {
    if (old === undefined) return old
    const at = old.items.findIndex((one) => one.id === item.id)
    if (at === -1) return { ...old, items: [item, ...old.items] }
    return { ...old, items: old.items.map((one, index) => (index === at ? { ...one, ...item } : one)) }
  })
}

export function patchCommand(client: QueryClient, slug: string, command: Command): void {
  client.setQueryData<Command>(['p', slug, 'command', command.id], command)
  client.setQueriesData<InfiniteData<Page<Command>>>({ queryKey: ['p', slug, 'commands'] }, (old) => {
    if (old === undefined) return old
    const known = old.pages.some((page) => page.items.some((one) => one.id === command.id))
    const replace = (page: Page<Command>) => ({
      ...page,
      items: page.items.map((one) => (one.id === command.id ? command : one)),
    })
    if (known) return { ...old, pages: old.pages.map(replace) }
    // A list that shows one status or one target keeps only what belongs there: let it ask again.
    void client.invalidateQueries({ queryKey: ['p', slug, 'commands'] })
    return old
  })
}
