import { useSyncExternalStore } from 'react'

const PHONE = '(max-width: 639px)'

function subscribe(listener: () => void): () => void {
  const media = matchMedia(PHONE)
  media.addEventListener('change', listener)
  return () => media.removeEventListener('change', listener)
}

/** True on a screen so narrow that tables become two-line rows. */
export const usePhone = (): boolean => useSyncExternalStore(subscribe, () => matchMedia(PHONE).matches, () => false)
