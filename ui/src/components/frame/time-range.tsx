import { useLocation, useNavigate, useSearch } from '@tanstack/react-router'
import { CalendarClock } from 'lucide-react'
import { type RangeSearch, readRange, SPANS } from '~/lib/range'
import { clockTime } from '~/lib/time'
import { s } from '~/strings'
import { Menu, MenuCheck, MenuContent, MenuTrigger } from '../ui/menu'

/** What an overview shows when the URL names no range. */
export const OVERVIEW_RANGE = '1h'

/** One control for the whole page, kept in the URL. Pages that have no time do not show it. */
export function TimeRange() {
  const path = useLocation({ select: (l) => l.pathname })
  const search: RangeSearch = useSearch({ strict: false })
  const navigate = useNavigate()
  const isOverview = /^\/projects\/[^/]+\/?$/.test(path)
  const isTasks = /^\/projects\/[^/]+\/tasks\/?$/.test(path)
  if (!isOverview && !isTasks) return null
  const range = readRange(search, isOverview ? OVERVIEW_RANGE : null)
  const set = (key: string | undefined) =>
    void navigate({
      to: '.',
      search: (old: Record<string, unknown>) => ({ ...old, range: key, from: undefined, to: undefined }),
      replace: true,
    })
  const label =
    range === null ? s.range.any
    : range.key !== null ? s.range.spans[range.key as keyof typeof s.range.spans]
    : `${clockTime(range.fromMs ?? 0, true)} – ${clockTime(range.toMs ?? 0, false)}`
  return (
    <Menu>
      <MenuTrigger
        aria-label={`${s.range.label}: ${label}`}
        className="inline-flex h-8 items-center gap-2 rounded-md border border-line px-2 text-sm whitespace-nowrap hover:bg-hover"
      >
        <CalendarClock className="size-4 text-muted" aria-hidden />
        <span className="num">{label}</span>
      </MenuTrigger>
      <MenuContent align="end">
        {SPANS.map((span) => (
          <MenuCheck key={span.key} checked={range?.key === span.key} onToggle={() => set(span.key)}>
            {s.range.spans[span.key]}
          </MenuCheck>
        ))}
        {isTasks && (
          <MenuCheck checked={range === null} onToggle={() => set(undefined)}>
            {s.range.any}
          </MenuCheck>
        )}
      </MenuContent>
    </Menu>
  )
}
