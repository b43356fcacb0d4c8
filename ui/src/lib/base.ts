/**
 * Where the brain is mounted: empty at the root of a host, `/tools/z4j` when a service nests it there.
 * The brain says so in the page; nothing is known when the shell is built.
 */
export const BASE =
  typeof document === 'undefined' ? '' : (document.querySelector<HTMLMetaElement>('meta[name="z4j-base"]')?.content ?? '')

/** A path of the brain as the browser must ask for it. */
export const below = (path: string): string => `${BASE}${path}`

/** The address that agents connect to. */
export const brainUrl = (): string => `${window.location.origin}${BASE}`

/** The path of a built file's address: the shell links files by path, and a link is known by its exact text. */
export const pathOf = (url: string): string =>
  typeof document === 'undefined' ? url : new URL(url, document.baseURI).pathname

/** Takes the mount path from addresses on their way into the router and puts it back on their way out. */
export function mountRewrite(base: string) {
  if (base === '') return undefined
  return {
    input: ({ url }: { url: URL }) => {
      if (url.pathname === base) url.pathname = '/'
      else if (url.pathname.startsWith(`${base}/`)) url.pathname = url.pathname.slice(base.length)
      return url
    },
    output: ({ url }: { url: URL }) => {
      // Without a slash at the end: that address is the one a nested router always answers.
      url.pathname = url.pathname === '/' ? base : `${base}${url.pathname}`
      return url
    },
  }
}
