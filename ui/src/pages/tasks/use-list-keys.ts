import { useEffect, useRef } from 'react'
import { keyIsTaken } from '~/components/frame/use-frame-keys'

export interface ListKeys {
  move: (by: 1 | -1) => void
  open: () => void
  select: () => void
  retry: () => void
  cancel: () => void
  search: () => void
  leave: () => void
}

/** The keys of a list; they rest while someone types or a dialog is open. */
export function useListKeys(keys: ListKeys): void {
  const latest = useRef(keys)
  useEffect(() => {
    latest.current = keys
  })
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (keyIsTaken(event) || event.metaKey || event.ctrlKey || event.altKey) return
      const { move, open, select, retry, cancel, search, leave } = latest.current
      const onControl = event.target instanceof Element && event.target.closest('button, a, [role="checkbox"]') !== null
      const actions: Record<string, () => void> = {
        j: () => move(1), k: () => move(-1), x: select, r: retry, c: cancel, '/': search, Escape: leave,
        // Enter on a button or link does what that button or link does.
        ...(onControl ? {} : { Enter: open }),
      }
      const action = actions[event.key]
      if (action === undefined) return
      event.preventDefault()
      action()
    }
    document.addEventListener('keydown', onKey)
    return () => document.removeEventListener('keydown', onKey)
  }, [])
}
