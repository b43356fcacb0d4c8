import { Check, Copy } from 'lucide-react'
import { type ReactNode, useEffect, useRef, useState } from 'react'
import { cn } from '~/lib/cn'
import { count, exactCount } from '~/lib/format'
import { usePref } from '~/lib/prefs'
import { exactTime, relative, useNow, type Zone } from '~/lib/time'
import { s } from '~/strings'
import { buttonClass } from './ui/button'

/** How long ago, live; the exact moment on hover. */
export function Ago({ at, className }: { at: string | null | undefined; className?: string }) {
  const now = useNow()
  const [zone] = usePref<Zone>('zone', 'local')
  if (!at) return <span className={cn('text-muted', className)}>–</span>
  return (
    <time dateTime={at} title={exactTime(at, zone)} className={cn('num whitespace-nowrap', className)}>
      {relative(Date.parse(at), now)}
    </time>
  )
}

/** The exact moment, with how long ago on hover. */
export function Exact({ at, className }: { at: string | null | undefined; className?: string }) {
  const [zone] = usePref<Zone>('zone', 'local')
  const now = useNow()
  if (!at) return <span className={cn('text-muted', className)}>–</span>
  return (
    <time dateTime={at} title={relative(Date.parse(at), now)} className={cn('num', className)}>
      {exactTime(at, zone)}
    </time>
  )
}

export function Count({ n, className }: { n: number | null | undefined; className?: string }) {
  if (n === null || n === undefined) return <span className={cn('text-muted', className)}>–</span>
  return (
    <span className={cn('num', className)} title={n >= 10_000 ? exactCount(n) : undefined}>
      {count(n)}
    </span>
  )
}

const SAID_MS = 1_500

export function CopyButton({ text, label, className }: { text: string; label: string; className?: string }) {
  const [said, setSaid] = useState<'idle' | 'done' | 'failed'>('idle')
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)
  useEffect(() => () => clearTimeout(timer.current), [])
  const copy = async () => {
    const done = await writeClipboard(text)
    setSaid(done ? 'done' : 'failed')
    clearTimeout(timer.current)
    timer.current = setTimeout(() => setSaid('idle'), SAID_MS)
  }
  return (
    <button
      type="button"
      onClick={() => void copy()}
      aria-label={label}
      title={label}
      className={buttonClass('ghost', cn('h-7 px-1.5 text-xs', className))}
    >
      {said === 'done' ? <Check className="size-3.5 text-st-success" aria-hidden /> : <Copy className="size-3.5" aria-hidden />}
      <span role="status" className={said === 'idle' ? 'sr-only' : ''}>
        {said === 'done' ? s.common.copied : said === 'failed' ? s.common.copyFailed : ''}
      </span>
    </button>
  )
}

async function writeClipboard(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    return copyBySelection(text)
  }
}

// A dashboard reached by plain HTTP on another host has no clipboard API.
function copyBySelection(text: string): boolean {
  const area = document.createElement('textarea')
  area.value = text
  document.body.append(area)
  area.select()
  const done = document.execCommand('copy')
  area.remove()
  return done
}

export function Kbd({ children }: { children: ReactNode }) {
  return (
    <kbd className="inline-flex h-5 min-w-5 items-center justify-center rounded border border-line bg-sunken px-1 text-xs text-muted">
      {children}
    </kbd>
  )
}

/** One fact of a definition list. */
export function Fact({ name, children, className }: { name: string; children: ReactNode; className?: string }) {
  return (
    <div className={cn('min-w-0', className)}>
      <dt className="text-xs text-muted">{name}</dt>
      <dd className="min-w-0 text-sm break-words">{children}</dd>
    </div>
  )
}

export function Panel({
  title, aside, children, className, bodyClass,
}: { title?: ReactNode; aside?: ReactNode; children: ReactNode; className?: string; bodyClass?: string }) {
  return (
    <section className={cn('min-w-0 rounded-md border border-line bg-surface', className)}>
      {(title !== undefined || aside !== undefined) && (
        <header className="flex min-h-10 flex-wrap items-center gap-x-3 gap-y-1 border-b border-line px-4 py-1.5">
          <h2 className="flex-1 text-sm font-semibold">{title}</h2>
          {aside}
        </header>
      )}
      <div className={bodyClass ?? 'p-4'}>{children}</div>
    </section>
  )
}
