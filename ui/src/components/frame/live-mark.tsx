import { useLiveState, useLiveStream } from '~/api/live'
import type { LiveStatus } from '~/api/stream'
import { cn } from '~/lib/cn'
import { relative, useNow } from '~/lib/time'
import { s } from '~/strings'
import { Menu, MenuContent, MenuItem, MenuTrigger } from '../ui/menu'

const DOT: Record<LiveStatus, string> = {
  connecting: 'border-2 border-st-pending',
  live: 'bg-st-success',
  paused: 'border-2 border-st-revoked',
  reconnecting: 'border-2 border-st-retry breathe',
  stale: 'border-2 border-dashed border-st-lost',
  refused: 'border-2 border-st-failure',
}

/** Whether what the page shows is what the brain knows, in a word. */
export function LiveMark() {
  const { status, sinceMs } = useLiveState()
  const stream = useLiveStream()
  const now = useNow()
  const word = status === 'stale' && sinceMs !== null ? s.live.staleSince(relative(sinceMs, now)) : s.live[status]
  const paused = status === 'paused'
  return (
    <Menu>
      <MenuTrigger
        data-live={status}
        aria-label={`${s.live.label}: ${word}`}
        className="inline-flex h-8 items-center gap-2 rounded-md px-2 text-sm whitespace-nowrap text-muted hover:bg-hover hover:text-ink"
      >
        <span aria-hidden className={cn('size-2.5 rounded-full', DOT[status])} />
        <span className="hidden sm:inline">{word}</span>
      </MenuTrigger>
      <MenuContent align="end" className="max-w-64">
        <p className="px-2 py-1.5 text-sm">{s.live.explain[status]}</p>
        <MenuItem onSelect={() => (paused ? stream?.resume() : stream?.pause())}>
          {paused ? s.live.resume : s.live.pause}
        </MenuItem>
      </MenuContent>
    </Menu>
  )
}
