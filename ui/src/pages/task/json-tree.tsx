import { EyeOff } from 'lucide-react'
import { useState } from 'react'
import type { Json } from '~/api/types'
import { CopyButton } from '~/components/bits'
import { cn } from '~/lib/cn'
import { s } from '~/strings'

const REDACTED = '[REDACTED]'
const OPEN_DEPTH = 2
const CHILDREN_MAX = 100
const TEXT_CHARS_MAX = 400

export const isRedacted = (value: Json): boolean => value === REDACTED

function Redacted() {
  return (
    <span
      title={s.task.redactedNote}
      className="inline-flex items-center gap-1 rounded border border-dashed border-line-strong px-1 text-xs text-muted"
    >
      <EyeOff className="size-3" aria-hidden />
      {s.task.redacted}
    </span>
  )
}

/** A value as a tree that folds; what the agent removed is shown as removed. */
export function JsonTree({ value, name, depth = 0 }: { value: Json; name?: string; depth?: number }) {
  const label = name === undefined ? null : <span className="max-w-4/5 shrink-0 wrap-anywhere text-st-received">{name}</span>
  if (value === null || typeof value !== 'object') {
    return (
      <div className="group/leaf relative flex min-h-6 items-start gap-2">
        {label}
        <Leaf value={value} />
        {!isRedacted(value) && (
          <CopyButton
            text={typeof value === 'string' ? value : JSON.stringify(value)}
            label={s.task.copyValue}
            className="absolute top-0 right-0 h-5 bg-surface opacity-0 group-hover/leaf:opacity-100 focus-visible:opacity-100"
          />
        )}
      </div>
    )
  }
  const entries: [string, Json][] = Array.isArray(value) ? value.map((one, at) => [String(at), one]) : Object.entries(value)
  const size = Array.isArray(value) ? s.task.items(entries.length) : s.task.fields(entries.length)
  if (entries.length === 0) return <div className="min-h-6">{label} <span className="text-muted">{Array.isArray(value) ? '[]' : '{}'}</span></div>
  return (
    <details open={depth < OPEN_DEPTH && entries.length <= 30}>
      <summary className="min-h-6 rounded text-muted marker:text-muted">
        {label} <span className="text-xs">{size}</span>
      </summary>
      <div className="ml-1.5 border-l border-line pl-3.5">
        {entries.slice(0, CHILDREN_MAX).map(([key, one]) => (
          <JsonTree key={key} name={key} value={one} depth={depth + 1} />
        ))}
        {entries.length > CHILDREN_MAX && <p className="text-xs text-muted">{s.act.andMore(entries.length - CHILDREN_MAX)}</p>}
      </div>
    </details>
  )
}

function Leaf({ value }: { value: Json }) {
  const [whole, setWhole] = useState(false)
  if (isRedacted(value)) return <Redacted />
  if (typeof value !== 'string') {
    return <span className={cn('min-w-0 wrap-anywhere', value === null ? 'text-muted' : 'text-st-started')}>{String(value)}</span>
  }
  // A secret inside a longer text is removed in place.
  const parts = (whole ? value : value.slice(0, TEXT_CHARS_MAX)).split(REDACTED)
  return (
    <span className="min-w-0 wrap-anywhere whitespace-pre-wrap">
      {parts.map((part, at) => (
        <span key={at}>
          {at > 0 && <Redacted />}
          {part}
        </span>
      ))}
      {value.length > TEXT_CHARS_MAX && !whole && (
        <button type="button" onClick={() => setWhole(true)} className="ml-1 text-accent underline">
          {s.act.andMore(value.length - TEXT_CHARS_MAX)}
        </button>
      )}
    </span>
  )
}
