import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query'
import { ApiError, get, type Query } from './client'
import type {
  Agent, AuditPage, Command, Facets, Me, Page, Queue, Stats, Task, TaskEvent, TaskRow, Tree, Trends, Worker,
} from './types'

const project = (slug: string) => `/projects/${encodeURIComponent(slug)}`
const task = (engine: string, id: string) => `/tasks/${encodeURIComponent(engine)}/${encodeURIComponent(id)}`
export const PAGE_ROWS = 100
/** Numbers are refetched this often while the stream is live: it carries rows, not rates. */
const NUMBERS_EVERY_MS = 10_000

export const meQuery = queryOptions({
  queryKey: ['me'],
  queryFn: ({ signal }) => get<Me>('/auth/me', undefined, signal),
  staleTime: 60_000,
  retry: (count, error) => !(error instanceof ApiError && error.status === 401) && count < 2,
})

export const setupStatusQuery = queryOptions({
  queryKey: ['setup'],
  queryFn: ({ signal }) => get<{ needed: boolean }>('/setup/status', undefined, signal),
  retry: 1,
})

export const agentsQuery = (slug: string) =>
  queryOptions({
    queryKey: ['p', slug, 'agents'],
    queryFn: ({ signal }) => get<Page<Agent>>(`${project(slug)}/agents`, { limit: 500 }, signal),
  })

export const workersQuery = (slug: string) =>
  queryOptions({
    queryKey: ['p', slug, 'workers'],
    queryFn: ({ signal }) => get<Page<Worker>>(`${project(slug)}/workers`, { limit: 500 }, signal),
  })

export const workerQuery = (slug: string, id: string) =>
  queryOptions({
    queryKey: ['p', slug, 'worker', id],
    queryFn: ({ signal }) => get<Worker>(`${project(slug)}/workers/${encodeURIComponent(id)}`, undefined, signal),
  })

export const queuesQuery = (slug: string) =>
  queryOptions({
    queryKey: ['p', slug, 'queues'],
    queryFn: ({ signal }) => get<Page<Queue>>(`${project(slug)}/queues`, { limit: 500 }, signal),
    refetchInterval: NUMBERS_EVERY_MS,
  })

export const statsQuery = (slug: string, windowMinutes: number) =>
  queryOptions({
    queryKey: ['p', slug, 'stats', windowMinutes],
    queryFn: ({ signal }) => get<Stats>(`${project(slug)}/stats`, { window_minutes: windowMinutes }, signal),
    refetchInterval: NUMBERS_EVERY_MS,
    placeholderData: (before) => before,
  })

export const trendsQuery = (slug: string, windowMinutes: number, bucketMinutes: number) =>
  queryOptions({
    queryKey: ['p', slug, 'trends', windowMinutes, bucketMinutes],
    queryFn: ({ signal }) =>
      get<Trends>(`${project(slug)}/trends`, { window_minutes: windowMinutes, bucket_minutes: bucketMinutes }, signal),
    refetchInterval: NUMBERS_EVERY_MS,
    placeholderData: (before) => before,
  })

export const facetsQuery = (slug: string) =>
  queryOptions({
    queryKey: ['p', slug, 'facets'],
    queryFn: ({ signal }) => get<Facets>(`${project(slug)}/tasks/facets`, undefined, signal),
    staleTime: 15_000,
  })

export const tasksQuery = (slug: string, filter: Query) =>
  infiniteQueryOptions({
    queryKey: ['p', slug, 'tasks', filter],
    queryFn: ({ signal, pageParam }) =>
      get<Page<TaskRow>>(`${project(slug)}/tasks`, { ...filter, limit: PAGE_ROWS, cursor: pageParam }, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next_cursor,
    // The stream keeps the rows current; a refetch of many pages would only move them about.
    refetchOnWindowFocus: false,
  })

export const recentTasksQuery = (slug: string, filter: Query) =>
  queryOptions({
    queryKey: ['p', slug, 'recent', filter],
    queryFn: ({ signal }) => get<Page<TaskRow>>(`${project(slug)}/tasks`, filter, signal),
    placeholderData: (before) => before,
  })

export const taskQuery = (slug: string, engine: string, id: string) =>
  queryOptions({
    queryKey: ['p', slug, 'task', engine, id],
    queryFn: ({ signal }) => get<Task>(`${project(slug)}${task(engine, id)}`, undefined, signal),
  })

export const taskEventsQuery = (slug: string, engine: string, id: string) =>
  queryOptions({
    queryKey: ['p', slug, 'task', engine, id, 'events'],
    queryFn: ({ signal }) =>
      get<Page<TaskEvent>>(`${project(slug)}${task(engine, id)}/events`, { limit: 500 }, signal),
  })

export const taskTreeQuery = (slug: string, engine: string, id: string) =>
  queryOptions({
    queryKey: ['p', slug, 'task', engine, id, 'tree'],
    queryFn: ({ signal }) => get<Tree>(`${project(slug)}${task(engine, id)}/tree`, undefined, signal),
  })

export const commandsQuery = (slug: string, filter: Query) =>
  infiniteQueryOptions({
    queryKey: ['p', slug, 'commands', filter],
    queryFn: ({ signal, pageParam }) =>
      get<Page<Command>>(`${project(slug)}/commands`, { ...filter, limit: PAGE_ROWS, cursor: pageParam }, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next_cursor,
  })

export const commandQuery = (slug: string, id: string) =>
  queryOptions({
    queryKey: ['p', slug, 'command', id],
    queryFn: ({ signal }) => get<Command>(`${project(slug)}/commands/${encodeURIComponent(id)}`, undefined, signal),
  })

export const auditQuery = (slug: string, filter: Query) =>
  infiniteQueryOptions({
    queryKey: ['p', slug, 'audit', filter],
    queryFn: ({ signal, pageParam }) =>
      get<AuditPage>(`${project(slug)}/audit`, { ...filter, limit: PAGE_ROWS, cursor: pageParam }, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next_cursor,
  })
