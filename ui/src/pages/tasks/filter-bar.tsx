import { useQuery } from '@tanstack/react-query'
import { ListFilter, X } from 'lucide-react'
import type { RefObject } from 'react'
import { facetsQuery } from '~/api/queries'
import { Count } from '~/components/bits'
import { known, Mark } from '~/components/state-mark'
import { buttonClass } from '~/components/ui/button'
import { Menu, MenuCheck, MenuContent, MenuLabel, MenuTrigger } from '~/components/ui/menu'
import { FILTER_KEYS, type FilterKey, type TaskFilter } from '~/lib/query'
import { s } from '~/strings'
import { SearchBox, valuesOf } from './search-box'

const MENU_VALUES_MAX = 30

/** Search, one chip for each part of the filter, and the menu that adds more. */
export function FilterBar({
  slug, filter, onFilter, inputRef,
}: {
  slug: string
  filter: TaskFilter
  onFilter: (filter: TaskFilter) => void
  inputRef: RefObject<HTMLInputElement | null>
}) {
  const empty = Object.keys(filter).length === 0
  const without = (key: keyof TaskFilter) => {
    const { [key]: _gone, ...rest } = filter
    return rest
  }
  return (
    <div className="flex min-w-0 flex-1 flex-wrap items-center gap-2">
      <SearchBox slug={slug} inputRef={inputRef} onApply={(more) => onFilter({ ...filter, ...more })} />
      <Menu>
        <MenuTrigger className={buttonClass('ghost', 'px-2')}>
          <ListFilter className="size-4" aria-hidden />
          {s.tasks.addFilter}
        </MenuTrigger>
        <AllFacets slug={slug} filter={filter} onFilter={onFilter} />
      </Menu>
      {(filter.state ?? []).map((state) => (
        <Chip
          key={state}
          name={s.tasks.keys['state'] ?? ''}
          onRemove={() => {
            const rest = (filter.state ?? []).filter((one) => one !== state)
            onFilter(rest.length > 0 ? { ...filter, state: rest } : without('state'))
          }}
          menu={<FacetMenu slug={slug} which="state" filter={filter} onFilter={onFilter} />}
          value={s.states[known(state)]}
          mark={<Mark state={known(state)} />}
        />
      ))}
      {(['name', 'queue', 'worker', 'engine', 'search'] as const).map((key) => {
        const value = filter[key]
        if (value === undefined) return null
        return (
          <Chip
            key={key}
            name={s.tasks.keys[key] ?? key}
            value={value}
            onRemove={() => onFilter(without(key))}
            menu={key === 'search' ? null : <FacetMenu slug={slug} which={key} filter={filter} onFilter={onFilter} />}
          />
        )
      })}
      {!empty && (
        <button type="button" className={buttonClass('ghost', 'px-2')} onClick={() => onFilter({})}>
          {s.tasks.clear}
        </button>
      )}
    </div>
  )
}

function Chip({
  name, value, mark, menu, onRemove,
}: { name: string; value: string; mark?: React.ReactNode; menu: React.ReactNode; onRemove: () => void }) {
  const body = (
    <>
      <span className="text-muted">{name}</span>
      {mark}
      <span className="max-w-56 truncate font-medium">{value}</span>
    </>
  )
  return (
    <span className="inline-flex h-7 items-center rounded-md border border-line bg-surface text-sm">
      {menu === null ? (
        <span className="flex items-center gap-1.5 px-2">{body}</span>
      ) : (
        <Menu>
          <MenuTrigger className="flex h-full items-center gap-1.5 rounded-l-md px-2 hover:bg-hover">{body}</MenuTrigger>
          {menu}
        </Menu>
      )}
      <button
        type="button"
        onClick={onRemove}
        aria-label={s.tasks.remove(`${name} ${value}`)}
        className="flex h-full items-center rounded-r-md border-l border-line px-1.5 text-muted hover:bg-hover hover:text-ink"
      >
        <X className="size-3.5" aria-hidden />
      </button>
    </span>
  )
}

interface FacetProps { slug: string; filter: TaskFilter; onFilter: (filter: TaskFilter) => void }

function FacetMenu({ slug, which, filter, onFilter }: FacetProps & { which: FilterKey }) {
  return (
    <MenuContent className="max-w-80">
      <Values slug={slug} which={which} filter={filter} onFilter={onFilter} />
    </MenuContent>
  )
}

function AllFacets({ slug, filter, onFilter }: FacetProps) {
  return (
    <MenuContent className="max-w-80">
      {FILTER_KEYS.map((key) => (
        <div key={key}>
          <MenuLabel>{s.tasks.keys[key]}</MenuLabel>
          <Values slug={slug} which={key} filter={filter} onFilter={onFilter} most={key === 'state' ? MENU_VALUES_MAX : 5} />
        </div>
      ))}
    </MenuContent>
  )
}

function Values({ slug, which, filter, onFilter, most = MENU_VALUES_MAX }: FacetProps & { which: FilterKey; most?: number }) {
  const { data } = useQuery(facetsQuery(slug))
  const chosen = (value: string) => (which === 'state' ? (filter.state ?? []).includes(value) : filter[which] === value)
  const toggle = (value: string) => {
    const { [which]: before, ...rest } = filter
    if (which === 'state') {
      const states = Array.isArray(before) ? before : []
      const next = states.includes(value) ? states.filter((one) => one !== value) : [...states, value]
      onFilter(next.length > 0 ? { ...rest, state: next } : rest)
    } else onFilter(before === value ? rest : { ...rest, [which]: value })
  }
  return valuesOf(data, which).slice(0, most).map(({ value, count }) => (
    <MenuCheck key={value} checked={chosen(value)} onToggle={() => toggle(value)} keepOpen={which === 'state'}>
      {which === 'state' && <Mark state={known(value)} />}
      {which === 'state' ? <span className="flex-1">{s.states[known(value)]}</span> : <code className="min-w-0 flex-1 truncate">{value}</code>}
      <Count n={count} className="text-xs text-muted" />
    </MenuCheck>
  ))
}
