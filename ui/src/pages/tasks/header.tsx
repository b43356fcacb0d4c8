import { ArrowDown, ArrowUp } from 'lucide-react'
import { cn } from '~/lib/cn'
import { s } from '~/strings'
import type { Column } from './columns'
import type { ListProps } from './list'

const WIDTH_MIN_PX = 56

export function ListHeader({ phone, columns, sort, onSort, onWidth, template }: ListProps & { template: string }) {
  return (
    <div role="rowgroup" className={phone ? 'sr-only' : 'sticky top-0 z-20'}>
      <div
        role="row"
        aria-rowindex={1}
        style={phone ? undefined : { gridTemplateColumns: template }}
        className={cn('border-b border-line bg-bg text-xs text-muted', !phone && 'grid h-8.5 items-center pr-3 sm:pr-4')}
      >
        {!phone && <div role="cell" />}
        {(phone ? columns.slice(0, 1) : columns).map((column) => (
          <HeaderCell key={column.id} column={column} sort={sort} onSort={onSort} onWidth={onWidth} />
        ))}
        {!phone && <div role="cell" />}
      </div>
    </div>
  )
}

function HeaderCell({
  column, sort, onSort, onWidth,
}: { column: Column } & Pick<ListProps, 'sort' | 'onSort' | 'onWidth'>) {
  const name = s.tasks.col[column.id] ?? column.id
  const active = column.sorts?.includes(sort) ?? false
  const down = sort.startsWith('-')
  const next = () => {
    const sorts = column.sorts ?? []
    const at = sorts.indexOf(sort)
    const chosen = sorts[(at + 1) % sorts.length]
    if (chosen !== undefined) onSort(chosen)
  }
  return (
    <div
      role="columnheader"
      aria-sort={active ? (down ? 'descending' : 'ascending') : column.sorts ? 'none' : undefined}
      className={cn('relative flex h-full min-w-0 items-center px-2', column.align === 'right' && 'justify-end')}
    >
      {column.sorts ? (
        <button
          type="button"
          onClick={next}
          title={s.tasks.sortBy(name)}
          className={cn('flex items-center gap-1 rounded hover:text-ink', active && 'font-medium text-ink')}
        >
          {active && (down ? <ArrowDown className="size-3" aria-hidden /> : <ArrowUp className="size-3" aria-hidden />)}
          {name}
        </button>
      ) : (
        <span className="truncate">{name}</span>
      )}
      <Grip name={name} onWidth={(width) => onWidth(column.id, width)} />
    </div>
  )
}

/** Drag, or the arrow keys, set a column's width; a double click gives it back. */
function Grip({ name, onWidth }: { name: string; onWidth: (width: number | null) => void }) {
  const cell = (target: EventTarget) => (target as HTMLElement).parentElement as HTMLElement
  return (
    <span
      role="separator"
      aria-orientation="vertical"
      aria-label={s.tasks.resize(name)}
      aria-valuenow={0}
      tabIndex={-1}
      className="absolute inset-y-1.5 -right-0.5 z-10 w-1.5 cursor-col-resize touch-none border-r border-transparent hover:border-line-strong"
      onDoubleClick={() => onWidth(null)}
      onPointerDown={(event) => {
        const grip = event.currentTarget
        const startX = event.clientX
        const startWidth = cell(grip).offsetWidth
        grip.setPointerCapture(event.pointerId)
        const move = (e: PointerEvent) => onWidth(Math.max(WIDTH_MIN_PX, startWidth + e.clientX - startX))
        grip.addEventListener('pointermove', move)
        grip.addEventListener('lostpointercapture', () => grip.removeEventListener('pointermove', move), { once: true })
      }}
    />
  )
}
