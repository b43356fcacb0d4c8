import { CircleAlert, Inbox } from 'lucide-react'
import type { ReactNode } from 'react'
import { ApiError } from '~/api/client'
import { useLiveState } from '~/api/live'
import { cn } from '~/lib/cn'
import { s } from '~/strings'
import { CopyButton } from './bits'
import { Button } from './ui/button'

/** The page below the top bar: its name, what can be done here, its content. */
export function PageFrame({
  title, note, actions, children,
}: { title: ReactNode; note?: ReactNode; actions?: ReactNode; children: ReactNode }) {
  const { status } = useLiveState()
  return (
    <div className="mx-auto w-full max-w-[1600px] px-4 pt-4 pb-10 sm:px-6">
      <header className="mb-4 flex min-h-8 flex-wrap items-center gap-x-3 gap-y-2">
        <h1 className="text-xl font-semibold">{title}</h1>
        {note !== undefined && <p className="text-sm text-muted">{note}</p>}
        <div className="ml-auto flex flex-wrap items-center gap-2">{actions}</div>
      </header>
      <div className={cn(status === 'stale' && 'opacity-60 saturate-50')}>{children}</div>
    </div>
  )
}

export function Empty({ title, children, action }: { title: string; children?: ReactNode; action?: ReactNode }) {
  return (
    <div className="flex flex-col items-center px-6 py-14 text-center">
      <Inbox className="mb-3 size-6 text-muted" strokeWidth={1.5} aria-hidden />
      <p className="text-base font-medium">{title}</p>
      {children !== undefined && <div className="mt-1 max-w-[52ch] text-sm text-muted">{children}</div>}
      {action !== undefined && <div className="mt-4">{action}</div>}
    </div>
  )
}

/** What failed, its request id, and another try; the rest of the page lives on. */
export function Failed({ error, what, onRetry }: { error: unknown; what: string; onRetry?: () => void }) {
  const api = error instanceof ApiError ? error : null
  return (
    <div role="alert" className="flex flex-wrap items-start gap-3 rounded-md border border-danger/40 bg-danger-soft px-4 py-3 text-sm">
      <CircleAlert className="mt-0.5 size-4 shrink-0 text-danger" aria-hidden />
      <div className="min-w-0 flex-1">
        <p className="font-medium">{what}</p>
        <p className="text-ink/85">{api?.message ?? s.errors.unexpected}</p>
        {api?.requestId && (
          <p className="mt-0.5 flex items-center gap-1 text-xs text-muted">
            {s.errors.requestId} <code>{api.requestId}</code>
            <CopyButton text={api.requestId} label={s.errors.copyRequestId} />
          </p>
        )}
      </div>
      {onRetry && <Button onClick={onRetry}>{s.common.tryAgain}</Button>}
    </div>
  )
}

export function Bones({ rows = 6, className }: { rows?: number; className?: string }) {
  return (
    <div className={cn('skeleton', className)} role="status" aria-label={s.common.loading}>
      {Array.from({ length: rows }, (_, index) => (
        <div key={index} className="flex h-9 items-center gap-4 border-b border-line px-4">
          <div className="h-2.5 w-2/5 rounded bg-hover" />
          <div className="h-2.5 w-1/5 rounded bg-hover" />
          <div className="ml-auto h-2.5 w-16 rounded bg-hover" />
        </div>
      ))}
    </div>
  )
}
