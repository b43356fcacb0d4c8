// Imported before everything else: dialogs lock scrolling with one style element, and the
// security policy lets that in only with the nonce of this response.
import { setNonce } from 'get-nonce'

if (typeof document !== 'undefined') {
  const nonce = document.querySelector<HTMLMetaElement>('meta[name="csp-nonce"]')?.content
  if (nonce) setNonce(nonce)
}
