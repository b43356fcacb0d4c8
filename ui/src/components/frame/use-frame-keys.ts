import { useEffect, useRef } from 'react'

/** True while a key press belongs to a text field or an open dialog or menu. */
export function keyIsTaken(event: KeyboardEvent): boolean {
  if (event.defaultPrevented) return true
  const target = event.target
  if (target instanceof HTMLElement) {
    if (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)) return true
  }
  return document.querySelector('[role="dialog"], [role="menu"]') !== null
}

export function useFrameKeys(handlers: { onPalette: () => void; onHelp: () => void }): void {
  const latest = useRef(handlers)
  useEffect(() => {
    latest.current = handlers
  })
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.key.toLowerCase() === 'k' && (event.metaKey || event.ctrlKey)) {
        event.preventDefault()
        latest.current.onPalette()
      } else if (event.key === '?' && !keyIsTaken(event)) {
        event.preventDefault()
        latest.current.onHelp()
      }
    }
    document.addEventListener('keydown', onKey)
    return () => document.removeEventListener('keydown', onKey)
  }, [])
}
