import { useSyncExternalStore } from 'react'

// Ages are counted on the brain's clock: a laptop that is minutes off must not show "in 2 min".
let offsetMs = 0

export function learnServerTime(serverNow: string): void {
  const server = Date.parse(serverNow)
  if (Number.isFinite(server)) offsetMs = server - Date.now()
}

export const serverNow = (): number => Date.now() + offsetMs

const listeners = new Set<() => void>()
let timer: ReturnType<typeof setInterval> | null = null
let tick = 0

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  timer ??= setInterval(() => {
    tick = Math.floor(serverNow() / 1_000)
    for (const one of listeners) one()
  }, 1_000)
  return () => {
    listeners.delete(listener)
    if (listeners.size === 0 && timer !== null) {
      clearInterval(timer)
      timer = null
    }
  }
}

/** The brain's time in milliseconds, renewed each second for all who ask. */
export function useNow(): number {
  useSyncExternalStore(subscribe, () => tick, () => 0)
  return serverNow()
}

/** `just now`, `14 s ago`, `3 m ago`, `in 2 h`, `5 d ago`. */
export function relative(at: number, now: number): string {
  const past = now - at
  const seconds = Math.floor(Math.abs(past) / 1_000)
  if (seconds < 1) return 'just now'
  const text =
    seconds < 60 ? `${seconds} s`
    : seconds < 3_600 ? `${Math.floor(seconds / 60)} m`
    : seconds < 86_400 ? `${Math.floor(seconds / 3_600)} h`
    : `${Math.floor(seconds / 86_400)} d`
  return past >= 0 ? `${text} ago` : `in ${text}`
}

export type Zone = 'local' | 'utc'

/** The moment in full, with its zone: `2026-11-23 12:04:31.482 CET`. */
export function exactTime(iso: string, zone: Zone = 'local', withMillis = true): string {
  const date = new Date(iso)
  if (Number.isNaN(date.getTime())) return iso
  const parts = new Intl.DateTimeFormat('en-GB', {
    year: 'numeric', month: '2-digit', day: '2-digit',
    hour: '2-digit', minute: '2-digit', second: '2-digit',
    fractionalSecondDigits: 3, hourCycle: 'h23', timeZoneName: 'short',
    ...(zone === 'utc' ? { timeZone: 'UTC' } : {}),
  }).formatToParts(date)
  const part = (type: Intl.DateTimeFormatPartTypes) => parts.find((p) => p.type === type)?.value ?? ''
  const clock = `${part('hour')}:${part('minute')}:${part('second')}`
  const millis = withMillis ? `.${part('fractionalSecond')}` : ''
  return `${part('year')}-${part('month')}-${part('day')} ${clock}${millis} ${part('timeZoneName')}`
}

export function clockTime(ms: number, withDay: boolean): string {
  return new Intl.DateTimeFormat('en-GB', {
    ...(withDay ? { month: 'short', day: '2-digit' } : {}),
    hour: '2-digit', minute: '2-digit', hourCycle: 'h23',
  }).format(ms)
}
