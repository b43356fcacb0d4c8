// What people type into the search of a list: `state:failure queue:mail 4711`.
import { s } from '~/strings'

export const FILTER_KEYS = ['state', 'name', 'queue', 'worker', 'engine'] as const
export type FilterKey = (typeof FILTER_KEYS)[number]

export const TASK_STATES = [
  'pending', 'received', 'started', 'success', 'failure', 'retry', 'revoked', 'rejected', 'lost', 'unknown',
] as const

export interface TaskFilter {
  state?: string[]
  name?: string
  queue?: string
  worker?: string
  engine?: string
  search?: string
}

export interface Problem { from: number; to: number; message: string }
export interface Parsed { filter: TaskFilter; problems: Problem[] }

interface Token { text: string; from: number; to: number }

/** Words, where quotes keep spaces together: `name:"send report" x`. */
function tokens(text: string): Token[] {
  const found: Token[] = []
  for (const match of text.matchAll(/(?:[^\s"]+|"[^"]*"?)+/g)) {
    found.push({ text: match[0], from: match.index, to: match.index + match[0].length })
  }
  return found
}

const unquote = (text: string) => text.replaceAll('"', '')

export function parseQuery(text: string): Parsed {
  const filter: TaskFilter = {}
  const problems: Problem[] = []
  const words: string[] = []
  for (const token of tokens(text)) {
    const match = /^([a-z_]+):(.*)$/is.exec(token.text)
    // A URL or a time such as 12:04 is something to look for, not a filter.
    if (match === null || token.text.startsWith('"') || /^\/\//.test(match[2] ?? '')) {
      words.push(unquote(token.text))
      continue
    }
    const key = (match[1] ?? '').toLowerCase()
    const value = unquote(match[2] ?? '')
    const problem = addFilter(filter, key, value)
    if (problem !== null) problems.push({ from: token.from, to: token.to, message: problem })
  }
  if (words.length > 0) filter.search = words.join(' ')
  return { filter, problems }
}

function addFilter(filter: TaskFilter, key: string, value: string): string | null {
  if (!(FILTER_KEYS as readonly string[]).includes(key)) return s.tasks.unknownKey(key, FILTER_KEYS.join(', '))
  if (value === '') return s.tasks.emptyValue(key)
  if (key !== 'state') {
    filter[key as Exclude<FilterKey, 'state'>] = value
    return null
  }
  for (const state of value.toLowerCase().split(',').filter(Boolean)) {
    if (!(TASK_STATES as readonly string[]).includes(state)) return s.tasks.unknownState(state, TASK_STATES.join(', '))
    filter.state = [...new Set([...(filter.state ?? []), state])]
  }
  return null
}

/** The word under the cursor, when it could be completed: a key, or the value of one. */
export function completionAt(text: string, cursor: number): { key: FilterKey | null; typed: string; from: number } | null {
  const before = text.slice(0, cursor)
  const from = Math.max(before.lastIndexOf(' '), before.lastIndexOf('\t')) + 1
  const word = before.slice(from)
  const colon = word.indexOf(':')
  if (colon === -1) return { key: null, typed: word.toLowerCase(), from }
  const key = word.slice(0, colon).toLowerCase()
  if (!(FILTER_KEYS as readonly string[]).includes(key)) return null
  return { key: key as FilterKey, typed: word.slice(colon + 1).toLowerCase(), from: from + colon + 1 }
}

export const quote = (value: string): string => (/\s/.test(value) ? `"${value}"` : value)
