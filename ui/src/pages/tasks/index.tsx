import { getRouteApi, useNavigate } from '@tanstack/react-router'
import { Ban, Columns3, RotateCcw } from 'lucide-react'
import { useCallback, useMemo, useRef, useState } from 'react'
import type { TaskRow } from '~/api/types'
import { type ActRequest, ActDialog } from '~/components/act/act-dialog'
import { Bones, Empty, Failed } from '~/components/page'
import { Button, buttonClass, IconButton } from '~/components/ui/button'
import { Menu, MenuCheck, MenuContent, MenuLabel, MenuLine, MenuTrigger } from '~/components/ui/menu'
import { useLiveState } from '~/api/live'
import { cn } from '~/lib/cn'
import { keyOf, type Sort } from '~/lib/live-rows'
import { usePref } from '~/lib/prefs'
import { useProject } from '~/lib/project'
import type { TaskFilter } from '~/lib/query'
import { rangeFilter, readRange } from '~/lib/range'
import { serverNow } from '~/lib/time'
import { useWidth } from '~/lib/use-width'
import { s } from '~/strings'
import { COLUMNS } from './columns'
import { FilterBar } from './filter-bar'
import { TaskList } from './list'
import type { TasksSearch } from './search'
import { useListKeys } from './use-list-keys'
import { useLiveTasks } from './use-live-tasks'

const route = getRouteApi('/_app/projects/$slug/tasks/')
const PHONE_PX = 640
const ROW_PX = { compact: 28, normal: 36, comfortable: 44 }
const ACT_MAX = 100

export function TasksPage() {
  const search = route.useSearch()
  const navigate = useNavigate()
  const { slug } = useProject()
  const inputRef = useRef<HTMLInputElement>(null)
  const { state, name, queue, worker, engine, search: text } = search
  const filter: TaskFilter = useMemo(
    () => ({
      ...(state && state.length > 0 && { state }),
      ...(name && { name }), ...(queue && { queue }), ...(worker && { worker }),
      ...(engine && { engine }), ...(text && { search: text }),
    }),
    [state, name, queue, worker, engine, text],
  )
  const setSearch = (next: TasksSearch) =>
    void navigate({ to: '.', search: { ...rangeOf(search), ...next }, replace: true })
  const sort = search.sort ?? '-updated_at'
  const listKey = JSON.stringify([filter, sort, search.range, search.from, search.to])

  return (
    <div className="flex h-[calc(100dvh-48px)] flex-col">
      <h1 className="sr-only">{s.tasks.title}</h1>
      <List
        key={listKey}
        slug={slug}
        filter={filter}
        sort={sort}
        onSort={(next) => setSearch({ ...filter, ...(next !== '-updated_at' && { sort: next }) })}
        inputRef={inputRef}
        bar={
          <FilterBar
            slug={slug}
            filter={filter}
            onFilter={(next) => setSearch({ ...next, ...(search.sort && { sort: search.sort }) })}
            inputRef={inputRef}
          />
        }
      />
    </div>
  )
}

const rangeOf = ({ range, from, to }: TasksSearch) => ({ ...(range && { range }), ...(from && { from }), ...(to && { to }) })

function List({
  slug, filter, sort, onSort, bar, inputRef,
}: {
  slug: string
  filter: TaskFilter
  sort: Sort
  onSort: (sort: Sort) => void
  bar: React.ReactNode
  inputRef: React.RefObject<HTMLInputElement | null>
}) {
  const range = readRange(route.useSearch(), null)
  // Fixed when the list opens: an end that moves each second would load it anew each second.
  const [span] = useState(() => rangeFilter(range, serverNow()))
  const full = useMemo(() => ({ ...filter, ...span }), [filter, span])
  const { can } = useProject()
  const navigate = useNavigate()
  const { status } = useLiveState()

  const box = useRef<HTMLDivElement>(null)
  const width = useWidth(box)
  const phone = width > 0 && width < PHONE_PX
  const [pointer, setPointer] = useState(false)
  const [away, setAway] = useState(false)
  const [cursor, setCursor] = useState(-1)
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set())
  const [acting, setActing] = useState<ActRequest | null>(null)
  const frozen = pointer || away || cursor >= 0 || selected.size > 0 || acting !== null
  const { query, rows, fresh, showFresh, changedRecently } = useLiveTasks(slug, full, sort, frozen)

  const layout = useLayout(width)
  const current = rows[cursor]
  const chosen = () => (selected.size > 0 ? rows.filter((row) => selected.has(keyOf(row))) : current ? [current] : [])
  const act = (action: 'retry' | 'cancel', targets: TaskRow[]) => {
    if (targets.length > 0 && can(`task.${action}`)) setActing({ action, tasks: targets.slice(0, ACT_MAX) })
  }
  const toggle = useCallback((key: string) => {
    setSelected((old) => {
      const next = new Set(old)
      if (!next.delete(key)) next.add(key)
      return next
    })
  }, [])
  useListKeys({
    move: (by) => setCursor((at) => Math.max(0, Math.min(rows.length - 1, at + by))),
    open: () => {
      if (current) void navigate({ to: '/projects/$slug/tasks/$engine/$taskId', params: { slug, engine: current.engine, taskId: current.task_id } })
    },
    select: () => current && toggle(keyOf(current)),
    retry: () => act('retry', chosen()),
    cancel: () => act('cancel', chosen()),
    search: () => inputRef.current?.focus(),
    leave: () => {
      setSelected(new Set())
      setCursor(-1)
    },
  })
  const { fetchNextPage, hasNextPage, isFetchingNextPage } = query
  const nearEnd = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage()
  }, [hasNextPage, isFetchingNextPage, fetchNextPage])
  const filtered = Object.keys(filter).length > 0 || range !== null

  return (
    <>
      <div className="flex flex-wrap items-center gap-2 border-b border-line px-4 py-2 sm:px-6">
        {bar}
        <ListMenu layout={layout} />
      </div>
      <div
        ref={box}
        className={cn('relative flex min-h-0 flex-1 flex-col', status === 'stale' && 'opacity-60 saturate-50')}
        onPointerEnter={(event) => event.pointerType === 'mouse' && setPointer(true)}
        onPointerLeave={() => setPointer(false)}
      >
        {fresh > 0 && (
          <button
            type="button"
            data-fresh
            onClick={() => {
              showFresh()
              setCursor(-1)
              box.current?.querySelector('.overflow-auto')?.scrollTo({ top: 0 })
            }}
            className={buttonClass('primary', 'num absolute top-1 left-1/2 z-30 h-6.5 -translate-x-1/2 rounded-full shadow-float')}
          >
            {s.tasks.fresh(fresh)}
          </button>
        )}
        {query.isPending ? (
          <Bones rows={14} />
        ) : query.error && rows.length === 0 ? (
          <div className="p-4 sm:px-6">
            <Failed error={query.error} what={s.errors.list(s.tasks.title)} onRetry={() => void query.refetch()} />
          </div>
        ) : rows.length === 0 ? (
          <Empty title={filtered ? s.tasks.noMatchTitle : s.tasks.emptyTitle}>{filtered ? s.tasks.noMatchText : s.tasks.emptyText}</Empty>
        ) : (
          <TaskList
            slug={slug} rows={rows} columns={layout.columns} widths={layout.widths} onWidth={layout.setWidth}
            sort={sort} onSort={onSort} rowPx={layout.rowPx} phone={phone} cursor={cursor} selected={selected}
            onToggle={toggle} changedRecently={changedRecently} onNearEnd={nearEnd} onScrolled={setAway}
            canRetry={can('task.retry')} canCancel={can('task.cancel')} onAct={act}
            footer={
              <p className="num px-6 py-3 text-xs text-muted">
                {isFetchingNextPage ? s.common.loadingMore : hasNextPage ? s.tasks.loadedSome(rows.length) : s.tasks.loaded(rows.length)}
              </p>
            }
          />
        )}
        {selected.size > 0 && (
          <div role="status" className="absolute bottom-4 left-1/2 z-30 flex -translate-x-1/2 items-center gap-2 rounded-md border border-line bg-surface p-2 pl-4 text-sm whitespace-nowrap shadow-float">
            <span className="num">{s.tasks.selected(selected.size)}</span>
            {can('task.retry') && (
              <Button onClick={() => act('retry', chosen())}><RotateCcw className="size-3.5" aria-hidden />{s.tasks.retryMany}</Button>
            )}
            {can('task.cancel') && (
              <Button onClick={() => act('cancel', chosen())}><Ban className="size-3.5" aria-hidden />{s.tasks.cancelMany}</Button>
            )}
            <Button variant="ghost" onClick={() => setSelected(new Set())}>{s.tasks.selectNone}</Button>
          </div>
        )}
      </div>
      {acting !== null && <ActDialog slug={slug} request={acting} onClose={() => setActing(null)} />}
    </>
  )
}

const NO_COLUMNS: string[] | null = null
const NO_WIDTHS: Record<string, number> = {}

/** Which columns, how wide, how high the rows: chosen by the person and remembered here. */
function useLayout(width: number) {
  const [chosen, setChosen] = usePref<string[] | null>('tasks.columns', NO_COLUMNS)
  const [widths, setWidths] = usePref('tasks.widths', NO_WIDTHS)
  const [density, setDensity] = usePref<keyof typeof ROW_PX>('density', 'normal')
  const on = chosen ?? COLUMNS.filter((c) => c.byDefault).map((c) => c.id)
  // A column that a person asked for by hand is shown however narrow the list is, from a tablet up.
  const columns = COLUMNS.filter((c) => c.id === 'name' || (on.includes(c.id) && width >= c.fromPx))
  const toggle = (id: string) => setChosen(on.includes(id) ? on.filter((one) => one !== id) : [...on, id])
  const setWidth = (id: string, px: number | null) => {
    const { [id]: _old, ...rest } = widths
    setWidths(px === null ? rest : { ...rest, [id]: px })
  }
  return { columns, on, toggle, widths, setWidth, density, setDensity, rowPx: ROW_PX[density] ?? ROW_PX.normal }
}

function ListMenu({ layout }: { layout: ReturnType<typeof useLayout> }) {
  return (
    <Menu>
      <MenuTrigger asChild>
        <IconButton label={s.tasks.columns} className="hidden sm:inline-flex">
          <Columns3 className="size-4" aria-hidden />
        </IconButton>
      </MenuTrigger>
      <MenuContent align="end">
        <MenuLabel>{s.tasks.columns}</MenuLabel>
        {COLUMNS.filter((c) => c.id !== 'name').map((c) => (
          <MenuCheck key={c.id} checked={layout.on.includes(c.id)} onToggle={() => layout.toggle(c.id)} keepOpen>
            {s.tasks.col[c.id]}
          </MenuCheck>
        ))}
        <MenuLine />
        <MenuLabel>{s.tasks.density}</MenuLabel>
        {(Object.keys(ROW_PX) as (keyof typeof ROW_PX)[]).map((key) => (
          <MenuCheck key={key} checked={layout.density === key} onToggle={() => layout.setDensity(key)} keepOpen>
            {s.tasks.densities[key]}
          </MenuCheck>
        ))}
      </MenuContent>
    </Menu>
  )
}

