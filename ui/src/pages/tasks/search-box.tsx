import { useQuery } from '@tanstack/react-query'
import { Search } from 'lucide-react'
import { type KeyboardEvent, type RefObject, useId, useState } from 'react'
import { facetsQuery } from '~/api/queries'
import type { Facets, FacetValue } from '~/api/types'
import { Count, Kbd } from '~/components/bits'
import { cn } from '~/lib/cn'
import { completionAt, FILTER_KEYS, type FilterKey, parseQuery, quote, type TaskFilter, TASK_STATES } from '~/lib/query'
import { s } from '~/strings'

const OFFERS_MAX = 8

/** The values a filter key can take here, most frequent first. */
export function valuesOf(facets: Facets | undefined, key: FilterKey): FacetValue[] {
  if (facets === undefined) return key === 'state' ? TASK_STATES.map((value) => ({ value, count: 0 })) : []
  return { state: facets.states, name: facets.names, queue: facets.queues, worker: facets.workers, engine: facets.engines }[key]
}

/** Free text and `key:value` words; complete ones become chips on Enter. */
export function SearchBox({
  slug, inputRef, onApply,
}: { slug: string; inputRef: RefObject<HTMLInputElement | null>; onApply: (filter: TaskFilter) => void }) {
  const [text, setText] = useState('')
  const [cursor, setCursor] = useState(0)
  const [open, setOpen] = useState(false)
  const [active, setActive] = useState(-1)
  const { data: facets } = useQuery({ ...facetsQuery(slug), enabled: open })
  const listId = useId()
  const problems = parseQuery(text).problems.filter((p) => !open || p.to < cursor)
  const completion = completionAt(text, cursor)
  const offers = open && completion !== null ? offersFor(completion.key, completion.typed, facets) : []

  const take = (offer: { insert: string; keepsOpen: boolean }) => {
    if (completion === null) return
    const next = `${text.slice(0, completion.from)}${offer.insert}${text.slice(cursor)}`
    setText(next)
    setCursor(completion.from + offer.insert.length)
    setActive(-1)
    setOpen(offer.keepsOpen)
    if (!offer.keepsOpen) apply(next)
  }
  const apply = (value: string) => {
    const parsed = parseQuery(value)
    if (parsed.problems.length > 0) return setOpen(false)
    onApply(parsed.filter)
    setText('')
    setOpen(false)
  }
  const onKey = (event: KeyboardEvent<HTMLInputElement>) => {
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault()
      setOpen(true)
      const step = event.key === 'ArrowDown' ? 1 : -1
      setActive((at) => (offers.length === 0 ? -1 : (at + step + offers.length + (at === -1 && step === -1 ? 1 : 0)) % offers.length))
    } else if (event.key === 'Enter') {
      event.preventDefault()
      const offer = offers[active]
      if (offer !== undefined) take(offer)
      else apply(text)
    } else if (event.key === 'Tab' && active >= 0) {
      const offer = offers[active]
      if (offer !== undefined) {
        event.preventDefault()
        take(offer)
      }
    } else if (event.key === 'Escape') {
      if (open) setOpen(false)
      else event.currentTarget.blur()
    }
  }

  return (
    <div className="relative min-w-0 flex-1 basis-44 sm:w-90 sm:flex-none">
      <Search className="pointer-events-none absolute top-2 left-2.5 size-4 text-muted" aria-hidden />
      <input
        ref={inputRef}
        role="combobox"
        aria-label={s.tasks.search}
        aria-expanded={offers.length > 0}
        aria-controls={listId}
        aria-autocomplete="list"
        aria-activedescendant={active >= 0 ? `${listId}-${active}` : undefined}
        aria-invalid={problems.length > 0 || undefined}
        autoComplete="off"
        spellCheck={false}
        value={text}
        placeholder={s.tasks.searchHint}
        className="h-8 w-full rounded-md border border-line bg-surface pr-9 pl-8.5 text-sm outline-none focus:border-accent aria-invalid:border-danger"
        onChange={(event) => {
          setText(event.target.value)
          setCursor(event.target.selectionStart ?? event.target.value.length)
          setOpen(true)
          setActive(-1)
        }}
        onSelect={(event) => setCursor(event.currentTarget.selectionStart ?? 0)}
        onFocus={() => setOpen(true)}
        onBlur={() => setOpen(false)}
        onKeyDown={onKey}
      />
      <span className="pointer-events-none absolute top-1.5 right-2 hidden sm:block" aria-hidden>
        <Kbd>/</Kbd>
      </span>
      <ul
        id={listId}
        role="listbox"
        aria-label={s.tasks.search}
        className={cn('absolute top-9 z-30 w-full rounded-md border border-line bg-surface p-1 shadow-float', offers.length === 0 && 'hidden')}
      >
        {offers.map((offer, index) => (
          <li
            key={offer.insert}
            id={`${listId}-${index}`}
            role="option"
            aria-selected={index === active}
            onMouseDown={(event) => {
              event.preventDefault()
              take(offer)
            }}
            className={cn('flex items-center gap-2 rounded px-2 py-1 text-sm', index === active ? 'bg-accent-soft' : 'hover:bg-hover')}
          >
            <code className="min-w-0 flex-1 truncate">{offer.label}</code>
            {offer.count > 0 && <Count n={offer.count} className="text-xs text-muted" />}
          </li>
        ))}
      </ul>
      {problems.length > 0 && <ProblemNote text={text} problems={problems} />}
    </div>
  )
}

function offersFor(key: FilterKey | null, typed: string, facets: Facets | undefined) {
  if (key === null) {
    return FILTER_KEYS.filter((k) => k.startsWith(typed)).map((k) => ({ insert: `${k}:`, label: `${k}:`, count: 0, keepsOpen: true }))
  }
  return valuesOf(facets, key)
    .filter((v) => v.value.toLowerCase().includes(typed))
    .slice(0, OFFERS_MAX)
    .map((v) => ({ insert: `${quote(v.value)} `, label: v.value, count: v.count, keepsOpen: false }))
}

/** What is wrong, with the wrong word marked in what was typed. */
function ProblemNote({ text, problems }: { text: string; problems: ReturnType<typeof parseQuery>['problems'] }) {
  const first = problems[0]
  if (first === undefined) return null
  return (
    <p role="alert" className="absolute top-9 z-30 w-full rounded-md border border-danger/50 bg-surface px-2.5 py-1.5 text-xs shadow-float">
      <code className="block truncate text-muted">
        {text.slice(0, first.from)}
        <mark className="rounded bg-danger-soft text-danger underline decoration-wavy underline-offset-2">{text.slice(first.from, first.to)}</mark>
        {text.slice(first.to)}
      </code>
      {first.message}
    </p>
  )
}
