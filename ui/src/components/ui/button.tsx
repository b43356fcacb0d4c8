import type { ComponentProps } from 'react'
import { cn } from '~/lib/cn'

type Variant = 'primary' | 'plain' | 'ghost' | 'danger'

const VARIANTS: Record<Variant, string> = {
  primary: 'border-transparent bg-accent text-accent-ink hover:brightness-110',
  plain: 'border-line bg-surface text-ink hover:bg-hover',
  ghost: 'border-transparent text-muted hover:bg-hover hover:text-ink',
  danger: 'border-transparent bg-danger text-accent-ink hover:brightness-110',
}

export function buttonClass(variant: Variant = 'plain', extra?: string): string {
  return cn(
    'inline-flex h-8 shrink-0 items-center justify-center gap-1.5 rounded-md border px-3 text-sm font-medium whitespace-nowrap select-none',
    'disabled:pointer-events-none disabled:opacity-50',
    VARIANTS[variant],
    extra,
  )
}

export function Button({ variant, className, type = 'button', ...rest }: ComponentProps<'button'> & { variant?: Variant }) {
  return <button data-slot="button" type={type} className={buttonClass(variant, className)} {...rest} />
}

/** A square button that shows only a mark; its name is for everyone who cannot see it. */
export function IconButton({ label, className, type = 'button', ...rest }: ComponentProps<'button'> & { label: string }) {
  return (
    <button
      data-slot="icon-button"
      type={type}
      aria-label={label}
      title={label}
      className={cn(
        'inline-flex size-8 shrink-0 items-center justify-center rounded-md text-muted hover:bg-hover hover:text-ink disabled:opacity-50',
        className,
      )}
      {...rest}
    />
  )
}
