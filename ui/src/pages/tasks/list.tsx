import { Link } from '@tanstack/react-router'
import { useVirtualizer } from '@tanstack/react-virtual'
import { Ban, RotateCcw } from 'lucide-react'
import { useEffect, useMemo, useRef } from 'react'
import type { TaskRow } from '~/api/types'
import { Ago } from '~/components/bits'
import { COLORS, known, Mark } from '~/components/state-mark'
import { IconButton } from '~/components/ui/button'
import { cn } from '~/lib/cn'
import { duration, shortId } from '~/lib/format'
import { keyOf, type Sort } from '~/lib/live-rows'
import { s } from '~/strings'
import { type Column, TaskName } from './columns'
import { ListHeader } from './header'

export interface ListProps {
  slug: string
  rows: TaskRow[]
  columns: Column[]
  widths: Record<string, number>
  onWidth: (id: string, width: number | null) => void
  sort: Sort
  onSort: (sort: Sort) => void
  rowPx: number
  phone: boolean
  cursor: number
  selected: ReadonlySet<string>
  onToggle: (key: string) => void
  changedRecently: (key: string) => boolean
  onNearEnd: () => void
  onScrolled: (away: boolean) => void
  canRetry: boolean
  canCancel: boolean
  onAct: (action: 'retry' | 'cancel', rows: TaskRow[]) => void
  footer: React.ReactNode
}

const PHONE_ROW_PX = 58
const NEAR_END_ROWS = 20

export function TaskList(props: ListProps) {
  const { rows, columns, widths, phone, cursor, onNearEnd, onScrolled } = props
  const scroller = useRef<HTMLDivElement>(null)
  const rowPx = phone ? PHONE_ROW_PX : props.rowPx
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowPx,
    getItemKey: (index) => keyOf(rows[index] as TaskRow),
    overscan: 12,
    scrollPaddingStart: phone ? 0 : 34,
  })
  const items = virtual.getVirtualItems()
  const lastIndex = items.at(-1)?.index ?? 0

  useEffect(() => virtual.measure(), [virtual, rowPx])
  useEffect(() => {
    if (rows.length > 0 && lastIndex >= rows.length - NEAR_END_ROWS) onNearEnd()
  }, [lastIndex, rows.length, onNearEnd])
  useEffect(() => {
    if (cursor >= 0) virtual.scrollToIndex(cursor, { align: 'auto' })
  }, [cursor, virtual])

  const template = useMemo(
    () => `36px ${columns.map((c) => (widths[c.id] ? `${widths[c.id]}px` : c.width)).join(' ')} minmax(0, auto)`,
    [columns, widths],
  )

  return (
    <div
      ref={scroller}
      className="relative min-h-0 flex-1 overflow-auto"
      tabIndex={-1}
      onScroll={(event) => onScrolled(event.currentTarget.scrollTop > rowPx / 2)}
    >
      <div role="table" aria-label={s.tasks.list} aria-rowcount={rows.length + 1} className={phone ? '' : 'min-w-full'}>
        <ListHeader {...props} template={template} />
        <div role="rowgroup" className="relative" style={{ height: virtual.getTotalSize() }}>
          {items.map((item) => {
            const row = rows[item.index] as TaskRow
            return (
              <Row
                key={item.key}
                {...props}
                row={row}
                index={item.index}
                template={template}
                style={{ height: item.size, transform: `translateY(${item.start}px)` }}
              />
            )
          })}
        </div>
      </div>
      {props.footer}
    </div>
  )
}

type RowProps = ListProps & { row: TaskRow; index: number; template: string; style: React.CSSProperties }

function Row({ row, index, template, style, ...list }: RowProps) {
  const key = keyOf(row)
  const isSelected = list.selected.has(key)
  const isCursor = list.cursor === index
  return (
    <div
      role="row"
      aria-rowindex={index + 2}
      data-task={row.task_id}
      data-cursor={isCursor || undefined}
      style={list.phone ? style : { ...style, gridTemplateColumns: template }}
      className={cn(
        'group absolute inset-x-0 top-0 border-b border-line text-sm hover:bg-hover',
        list.phone ? 'block' : 'grid items-center pr-3 sm:pr-4',
        isSelected && 'bg-accent-soft',
        isCursor && 'bg-hover shadow-[inset_2px_0_0_var(--accent)]',
      )}
    >
      {list.changedRecently(key) && <span key={row.updated_at} aria-hidden className="glow pointer-events-none absolute inset-0" />}
      {list.phone ? <PhoneCells row={row} slug={list.slug} /> : <WideCells row={row} isSelected={isSelected} {...list} />}
    </div>
  )
}

function WideCells({ row, isSelected, ...list }: ListProps & { row: TaskRow; isSelected: boolean }) {
  const key = keyOf(row)
  return (
    <>
      <div role="cell" className="relative z-10 flex h-full items-center justify-center">
        <input
          type="checkbox"
          aria-label={s.tasks.select(row.name ?? shortId(row.task_id))}
          checked={isSelected}
          onChange={() => list.onToggle(key)}
          tabIndex={-1}
          className={cn('size-3.5 accent-(--accent)', !isSelected && list.selected.size === 0 && 'opacity-0 group-hover:opacity-100 focus:opacity-100 group-data-cursor:opacity-100')}
        />
      </div>
      {list.columns.map((column, at) => (
        <div key={column.id} role="cell" className={cn('flex min-w-0 items-center px-2', column.align === 'right' && 'justify-end')}>
          {at === 0 ? (
            <RowLink row={row} slug={list.slug}>
              {column.cell(row)}
            </RowLink>
          ) : (
            column.cell(row)
          )}
        </div>
      ))}
      <div role="cell" className="relative w-0">
        <RowActions row={row} {...list} />
      </div>
    </>
  )
}

function RowLink({ row, slug, children }: { row: TaskRow; slug: string; children: React.ReactNode }) {
  return (
    <Link
      to="/projects/$slug/tasks/$engine/$taskId"
      params={{ slug, engine: row.engine, taskId: row.task_id }}
      preload={false}
      className="min-w-0 outline-offset-[-2px] after:absolute after:inset-0 after:content-['']"
    >
      {children}
    </Link>
  )
}

function RowActions({ row, canRetry, canCancel, onAct }: Pick<ListProps, 'canRetry' | 'canCancel' | 'onAct'> & { row: TaskRow }) {
  const ended = isTerminal(row.state)
  return (
    <span className="invisible absolute top-1/2 right-0 z-10 flex -translate-y-1/2 gap-1 rounded-md border border-line bg-surface opacity-0 group-hover:visible group-hover:opacity-100 group-focus-within:visible group-focus-within:opacity-100 group-data-cursor:visible group-data-cursor:opacity-100">
      {canRetry && ended && (
        <IconButton label={s.tasks.retry} className="size-7" onClick={() => onAct('retry', [row])}>
          <RotateCcw className="size-3.5" aria-hidden />
        </IconButton>
      )}
      {canCancel && !ended && (
        <IconButton label={s.tasks.cancel} className="size-7" onClick={() => onAct('cancel', [row])}>
          <Ban className="size-3.5" aria-hidden />
        </IconButton>
      )}
    </span>
  )
}

export const isTerminal = (state: string): boolean => ['success', 'failure', 'revoked', 'rejected'].includes(state)

function PhoneCells({ row, slug }: { row: TaskRow; slug: string }) {
  const state = known(row.state)
  return (
    <div role="cell" className="flex h-full flex-col justify-center gap-0.5 px-4">
      <RowLink row={row} slug={slug}>
        <span className="flex min-w-0 items-center gap-2">
          <Mark state={state} />
          <TaskName name={row.name} className="min-w-0 truncate" />
        </span>
      </RowLink>
      <span className="flex items-center gap-1.5 pl-5 text-xs text-muted">
        <span className={COLORS[state]}>{s.states[state]}</span>
        <span aria-hidden>·</span>
        <span className="truncate">{row.exception ?? row.queue ?? shortId(row.task_id)}</span>
        {row.runtime_ms !== null && <span className="num shrink-0">· {duration(row.runtime_ms)}</span>}
        <Ago at={row.updated_at} className="ml-auto" />
      </span>
    </div>
  )
}
