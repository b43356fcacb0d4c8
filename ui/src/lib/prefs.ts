import { useCallback, useSyncExternalStore } from 'react'

// Choices of this browser: theme, density, columns, time zone. Nothing here is secret.
const PREFIX = 'z4j.'
const listeners = new Set<() => void>()
const cache = new Map<string, unknown>()

function read<T>(key: string, fallback: T): T {
  if (cache.has(key)) return cache.get(key) as T
  let value = fallback
  try {
    const text = localStorage.getItem(PREFIX + key)
    if (text !== null) value = key === 'theme' ? (text as T) : (JSON.parse(text) as T)
  } catch {
    value = fallback
  }
  cache.set(key, value)
  return value
}

function write<T>(key: string, value: T): void {
  cache.set(key, value)
  try {
    localStorage.setItem(PREFIX + key, typeof value === 'string' && key === 'theme' ? value : JSON.stringify(value))
  } catch {
    // A browser without storage keeps the choice until the page is left.
  }
  for (const one of listeners) one()
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

export function usePref<T>(key: string, fallback: T): [T, (value: T) => void] {
  const value = useSyncExternalStore(subscribe, () => read(key, fallback), () => fallback)
  const set = useCallback((next: T) => write(key, next), [key])
  return [value, set]
}

export type Theme = 'system' | 'light' | 'dark'

export function applyTheme(theme: Theme): void {
  const dark = theme === 'dark' || (theme === 'system' && matchMedia('(prefers-color-scheme: dark)').matches)
  document.documentElement.classList.toggle('dark', dark)
}
