import { apiUrl } from './client'
import { MessageParser } from './sse'
import type { Agent, Command, Queue, Stats, TaskRow, Worker } from './types'

export type LiveStatus = 'connecting' | 'live' | 'paused' | 'reconnecting' | 'stale' | 'refused'

export interface LiveState {
  status: LiveStatus
  /** Since when the page no longer knows the truth; null while it does. */
  sinceMs: number | null
}

export interface StreamEvents {
  ready: { at: string }
  reset: { reason: string }
  tasks: { items: TaskRow[] }
  counters: { states?: Stats['states'] }
  command: Command
  agent: Agent
  worker: Worker
  queue: Queue
}

type Listener<K extends keyof StreamEvents> = (data: StreamEvents[K]) => void

/** The brain sends a sign of life every 15 s; three missed ones mean that the line is dead. */
const SILENCE_MS = 45_000
/** A short gap is mended before anyone needs to know; from here on numbers are marked as old. */
const STALE_AFTER_MS = 10_000
const RETRY_FIRST_MS = 500
const RETRY_MAX_MS = 15_000
/** A hidden tab gives its connection back: browsers allow only a handful per host. */
const HIDDEN_CLOSE_MS = 60_000

/** The live connection of one project page, kept up until it is closed. */
export class LiveStream {
  private state: LiveState = { status: 'connecting', sinceMs: null }
  private readonly watchers = new Set<() => void>()
  private readonly listeners = new Map<string, Set<(data: never) => void>>()
  private lastId: string | null = null
  private controller: AbortController | null = null
  private attempt = 0
  private timers = new Map<string, ReturnType<typeof setTimeout>>()
  private closed = false
  private pausedByUser = false
  private hidden = false

  constructor(private readonly slug: string, private readonly onSignedOut: () => void) {}

  readonly watch = (watcher: () => void): (() => void) => {
    this.watchers.add(watcher)
    return () => this.watchers.delete(watcher)
  }

  readonly snapshot = (): LiveState => this.state

  on<K extends keyof StreamEvents>(event: K, listener: Listener<K>): () => void {
    const set = this.listeners.get(event) ?? new Set()
    this.listeners.set(event, set)
    set.add(listener as (data: never) => void)
    return () => set.delete(listener as (data: never) => void)
  }

  start(): void {
    document.addEventListener('visibilitychange', this.onVisibility)
    window.addEventListener('online', this.reconnectNow)
    window.addEventListener('offline', this.onOffline)
    void this.connect()
  }

  close(): void {
    this.closed = true
    document.removeEventListener('visibilitychange', this.onVisibility)
    window.removeEventListener('online', this.reconnectNow)
    window.removeEventListener('offline', this.onOffline)
    for (const timer of this.timers.values()) clearTimeout(timer)
    this.timers.clear()
    this.controller?.abort()
  }

  pause(): void {
    this.pausedByUser = true
    this.disconnect('paused')
  }

  resume(): void {
    this.pausedByUser = false
    this.attempt = 0
    void this.connect()
  }

  private readonly reconnectNow = (): void => {
    if (this.state.status === 'live' || this.pausedByUser) return
    this.attempt = 0
    void this.connect()
  }

  /** A line that is gone stays open for a while without a word; the browser knows sooner. */
  private readonly onOffline = (): void => this.controller?.abort()

  private readonly onVisibility = (): void => {
    if (document.visibilityState === 'hidden') {
      this.later('hide', HIDDEN_CLOSE_MS, () => {
        this.hidden = true
        if (!this.pausedByUser) this.disconnect('paused')
      })
      return
    }
    this.cancel('hide')
    if (this.hidden) {
      this.hidden = false
      if (!this.pausedByUser) void this.connect()
    }
  }

  private disconnect(status: LiveStatus): void {
    this.cancel('retry')
    this.cancel('stale')
    this.controller?.abort()
    this.controller = null
    this.set({ status, sinceMs: this.state.sinceMs ?? Date.now() })
  }

  private async connect(): Promise<void> {
    if (this.closed) return
    this.cancel('retry')
    this.controller?.abort()
    const controller = new AbortController()
    this.controller = controller
    if (this.state.status === 'paused') this.set({ status: 'reconnecting', sinceMs: this.state.sinceMs })
    try {
      const response = await fetch(apiUrl(`/projects/${encodeURIComponent(this.slug)}/stream`), {
        credentials: 'same-origin',
        headers: {
          accept: 'text/event-stream',
          ...(this.lastId === null ? {} : { 'last-event-id': this.lastId }),
        },
        cache: 'no-store',
        signal: controller.signal,
      })
      if (response.status === 401) return this.onSignedOut()
      if (response.status === 403 || response.status === 404) {
        return this.set({ status: 'refused', sinceMs: Date.now() })
      }
      if (!response.ok || response.body === null) throw new Error(`stream answered ${response.status}`)
      await this.read(response.body, controller)
    } catch {
      // Whatever cut it: the answer is to try again.
    }
    if (!this.closed && this.controller === controller && this.state.status !== 'paused') this.scheduleRetry()
  }

  private async read(body: ReadableStream<Uint8Array>, controller: AbortController): Promise<void> {
    const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader()
    const parser = new MessageParser()
    this.attempt = 0
    this.cancel('stale')
    this.set({ status: 'live', sinceMs: null })
    try {
      for (;;) {
        this.later('silence', SILENCE_MS, () => controller.abort())
        const { done, value } = await reader.read()
        if (done) return
        for (const message of parser.push(value)) this.dispatch(message.event, message.data, message.id)
      }
    } finally {
      this.cancel('silence')
    }
  }

  private dispatch(event: string, data: string, id: string | null): void {
    if (id !== null) this.lastId = id
    let parsed: unknown
    try {
      parsed = JSON.parse(data)
    } catch {
      return
    }
    for (const listener of this.listeners.get(event) ?? []) listener(parsed as never)
  }

  private scheduleRetry(): void {
    const sinceMs = this.state.sinceMs ?? Date.now()
    const stale = Date.now() - sinceMs >= STALE_AFTER_MS
    this.set({ status: stale ? 'stale' : 'reconnecting', sinceMs })
    if (!stale) {
      this.later('stale', STALE_AFTER_MS - (Date.now() - sinceMs), () => {
        if (this.state.status === 'reconnecting') this.set({ status: 'stale', sinceMs })
      })
    }
    const ceiling = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** this.attempt)
    this.attempt += 1
    // Full jitter, so that the tabs of a whole team do not come back in the same instant.
    this.later('retry', ceiling / 4 + Math.random() * ceiling * 0.75, () => void this.connect())
  }

  private set(next: LiveState): void {
    if (next.status === this.state.status && next.sinceMs === this.state.sinceMs) return
    this.state = next
    for (const watcher of this.watchers) watcher()
  }

  private later(name: string, ms: number, run: () => void): void {
    this.cancel(name)
    this.timers.set(name, setTimeout(run, ms))
  }

  private cancel(name: string): void {
    const timer = this.timers.get(name)
    if (timer !== undefined) clearTimeout(timer)
    this.timers.delete(name)
  }
}
