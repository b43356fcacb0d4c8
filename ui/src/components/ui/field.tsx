import { type ComponentProps, type ReactNode, useId } from 'react'
import { cn } from '~/lib/cn'

export const inputClass =
  'h-9 w-full rounded-md border border-line-strong/70 bg-surface px-3 text-base text-ink outline-none focus-visible:border-accent focus-visible:ring-2 focus-visible:ring-accent/30 aria-invalid:border-danger'

/** A labelled input with its hint and its error, wired for screen readers. */
export function Field({
  label, hint, error, className, ...input
}: ComponentProps<'input'> & { label: string; hint?: ReactNode; error?: string | null }) {
  const id = useId()
  const noteId = `${id}-note`
  const note = error ?? hint
  return (
    <div className={className}>
      <label htmlFor={id} className="mb-1 block text-sm font-medium">
        {label}
      </label>
      <input
        id={id}
        className={inputClass}
        aria-invalid={error ? true : undefined}
        aria-describedby={note ? noteId : undefined}
        {...input}
      />
      {note && (
        <p id={noteId} className={cn('mt-1 text-xs', error ? 'text-danger' : 'text-muted')}>
          {note}
        </p>
      )}
    </div>
  )
}
