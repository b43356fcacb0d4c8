import { ArrowDown, ArrowUp } from 'lucide-react'
import { type ReactNode, useMemo, useState } from 'react'
import { cn } from '~/lib/cn'
import { usePhone } from '~/lib/use-media'
import { s } from '~/strings'

export interface TableColumn<T> {
  id: string
  name: string
  cell: (row: T) => ReactNode
  /** What to sort by; a column without it cannot be sorted. */
  by?: (row: T) => string | number | null
  align?: 'right'
  className?: string
  /** Where the column goes on a phone; nowhere when absent. */
  phone?: 'title' | 'side' | 'note'
  title?: string
}

/** A table of a list that is here as a whole (agents, workers, queues). On a phone: two-line rows. */
export function Table<T>({
  rows, columns, rowKey, label, link,
}: {
  rows: T[]
  columns: TableColumn<T>[]
  rowKey: (row: T) => string
  label: string
  /** Wraps the first cell, so that the whole row is a link. */
  link?: (row: T, children: ReactNode) => ReactNode
}) {
  const phone = usePhone()
  const [sort, setSort] = useState<{ id: string; down: boolean } | null>(null)
  const sorted = useMemo(() => {
    const by = columns.find((column) => column.id === sort?.id)?.by
    if (sort === null || by === undefined) return rows
    return [...rows].sort((a, b) => order(by(a), by(b), sort.down))
  }, [rows, columns, sort])
  const wrap = (row: T, children: ReactNode) => (link ? link(row, children) : children)

  if (phone) {
    return (
      <ul aria-label={label} className="divide-y divide-line rounded-md border border-line bg-surface">
        {sorted.map((row) => (
          <li key={rowKey(row)} data-row={rowKey(row)} className="relative px-4 py-2 text-sm">
            <div className="flex min-w-0 items-center gap-2">
              <span className="min-w-0 flex-1 truncate">{columns.filter((c) => c.phone === 'title').map((c) => <span key={c.id}>{wrap(row, c.cell(row))}</span>)}</span>
              {columns.filter((c) => c.phone === 'side').map((c) => <span key={c.id}>{c.cell(row)}</span>)}
            </div>
            <div className="mt-0.5 flex flex-wrap gap-x-3 gap-y-0.5 text-xs text-muted">
              {columns.filter((c) => c.phone === 'note').map((c) => <span key={c.id}>{c.name} {c.cell(row)}</span>)}
            </div>
          </li>
        ))}
      </ul>
    )
  }
  return (
    <div className="overflow-x-auto rounded-md border border-line bg-surface" tabIndex={0} role="region" aria-label={label}>
      <table className="w-full text-sm">
        <thead className="text-xs text-muted">
          <tr>
            {columns.map((column) => {
              const active = sort?.id === column.id
              return (
                <th
                  key={column.id}
                  scope="col"
                  title={column.title}
                  aria-sort={active ? (sort.down ? 'descending' : 'ascending') : undefined}
                  className={cn('h-8.5 px-3 text-left font-normal whitespace-nowrap first:pl-4 last:pr-4', column.align === 'right' && 'text-right', column.className)}
                >
                  {column.by ? (
                    <button
                      type="button"
                      onClick={() => setSort({ id: column.id, down: active ? !sort.down : column.align === 'right' })}
                      title={s.tasks.sortBy(column.name)}
                      className={cn('inline-flex items-center gap-1 rounded hover:text-ink', active && 'font-medium text-ink')}
                    >
                      {active && (sort.down ? <ArrowDown className="size-3" aria-hidden /> : <ArrowUp className="size-3" aria-hidden />)}
                      {column.name}
                    </button>
                  ) : (
                    column.name
                  )}
                </th>
              )
            })}
          </tr>
        </thead>
        <tbody>
          {sorted.map((row) => (
            <tr key={rowKey(row)} data-row={rowKey(row)} className="relative h-9 border-t border-line hover:bg-hover">
              {columns.map((column, at) => (
                <td key={column.id} className={cn('px-3 py-1 whitespace-nowrap first:pl-4 last:pr-4', column.align === 'right' && 'num text-right', column.className)}>
                  {at === 0 ? wrap(row, column.cell(row)) : column.cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function order(a: string | number | null, b: string | number | null, down: boolean): number {
  if (a === b) return 0
  if (a === null) return 1
  if (b === null) return -1
  return a < b === down ? 1 : -1
}
