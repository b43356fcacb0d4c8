/** A person who has touched nothing for this long, in milliseconds, is not using the page. */
const PRESENT_MS = 60_000
const SIGNS = ['pointerdown', 'pointermove', 'keydown', 'wheel', 'touchstart'] as const

let touchedAt = Date.now()

if (typeof window !== 'undefined') {
  const touch = () => {
    touchedAt = Date.now()
  }
  for (const sign of SIGNS) window.addEventListener(sign, touch, { passive: true, capture: true })
}

/**
 * What a request says when the page asks by itself: the brain must not take a forgotten tab for a
 * person who is there, or nobody would ever be signed out for being idle.
 */
export function presenceHeaders(now = Date.now()): Record<string, string> {
  return now - touchedAt > PRESENT_MS ? { 'x-z4j-background': '1' } : {}
}
