import type { TaskRow } from '~/api/types'
import { Ago } from '~/components/bits'
import { COLORS, Mark, known } from '~/components/state-mark'
import { duration, shortId } from '~/lib/format'
import type { Sort } from '~/lib/live-rows'
import { s } from '~/strings'

export interface Column {
  id: string
  /** Width in the grid when the person has not chosen one. */
  width: string
  /** The list must be at least this wide for the column to be worth its place, in px. */
  fromPx: number
  byDefault: boolean
  align?: 'right'
  sorts?: Sort[]
  cell: (row: TaskRow) => React.ReactNode
}

export const COLUMNS: Column[] = [
  { id: 'name', width: 'minmax(240px, 3fr)', fromPx: 0, byDefault: true, cell: (row) => <NameCell row={row} /> },
  { id: 'state', width: '104px', fromPx: 0, byDefault: true, cell: (row) => <span className={COLORS[known(row.state)]}>{s.states[known(row.state)]}</span> },
  {
    id: 'exception', width: 'minmax(120px, 2fr)', fromPx: 860, byDefault: true,
    cell: (row) => {
      if (!row.exception) return null
      const text = row.exception_message ? `${row.exception}: ${row.exception_message}` : row.exception
      return <span className="truncate text-muted" title={text}>{text}</span>
    },
  },
  { id: 'queue', width: '112px', fromPx: 700, byDefault: true, cell: (row) => <Plain text={row.queue} /> },
  { id: 'worker', width: 'minmax(120px, 1fr)', fromPx: 1_080, byDefault: true, cell: (row) => <Plain text={row.worker_name} /> },
  { id: 'engine', width: '88px', fromPx: 1_080, byDefault: false, cell: (row) => <Plain text={row.engine} /> },
  {
    id: 'attempts', width: '72px', fromPx: 780, byDefault: true, align: 'right',
    cell: (row) => <span className={row.retry_count > 0 ? 'num' : 'num text-muted'}>{row.retry_count + 1}</span>,
  },
  {
    id: 'wait', width: '84px', fromPx: 1_200, byDefault: false, align: 'right',
    cell: (row) => <span className="num text-muted">{duration(row.wait_ms)}</span>,
  },
  {
    id: 'runtime', width: '84px', fromPx: 560, byDefault: true, align: 'right', sorts: ['-runtime_ms'],
    cell: (row) => <span className="num">{duration(row.runtime_ms)}</span>,
  },
  {
    id: 'received', width: '92px', fromPx: 1_200, byDefault: false, align: 'right', sorts: ['-received_at'],
    cell: (row) => <Ago at={row.received_at} className="text-muted" />,
  },
  {
    id: 'updated', width: '92px', fromPx: 0, byDefault: true, align: 'right', sorts: ['-updated_at', 'updated_at'],
    cell: (row) => <Ago at={row.updated_at} className="text-muted" />,
  },
]

function Plain({ text }: { text: string | null }) {
  return text === null ? <span className="text-muted">–</span> : <span className="truncate" title={text}>{text}</span>
}

function NameCell({ row }: { row: TaskRow }) {
  return (
    <span className="flex min-w-0 items-center gap-2.5">
      <Mark state={known(row.state)} />
      <TaskName name={row.name} className="truncate" />
      <code className="shrink-0 text-xs text-muted">{shortId(row.task_id)}</code>
    </span>
  )
}

/** A task's name; long dotted ones give up their front, not the part that tells them apart. */
export function TaskName({ name, className }: { name: string | null; className?: string }) {
  if (name === null) return <span className={`text-muted ${className ?? ''}`}>{s.tasks.noName}</span>
  return (
    <code className={className} title={name}>
      {name}
    </code>
  )
}
