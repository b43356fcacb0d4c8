import '~/lib/nonce'
import { QueryClient } from '@tanstack/react-query'
import { createRouter } from '@tanstack/react-router'
import { ApiError } from '~/api/client'
import { Failed } from '~/components/page'
import { BASE, mountRewrite } from '~/lib/base'
import { s } from '~/strings'
import { routeTree } from './routeTree.gen'

export function getRouter() {
  const queryClient = new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 5_000,
        // A refusal is an answer; only silence and the brain's own faults are worth another try.
        retry: (count, error) => !(error instanceof ApiError && error.status >= 400 && error.status < 500) && count < 2,
      },
      mutations: { retry: false },
    },
  })
  const rewrite = mountRewrite(BASE)
  return createRouter({
    routeTree,
    context: { queryClient },
    scrollRestoration: true,
    // Not `basepath`: the start-up code of TanStack Start sets that to the path of the build.
    ...(rewrite && { rewrite }),
    defaultPreload: 'intent',
    defaultPreloadStaleTime: 0,
    defaultErrorComponent: ({ error, reset }) => (
      <div className="p-6">
        <Failed error={error} what={s.errors.page} onRetry={reset} />
      </div>
    ),
    // Spaces and commas stay readable, arrays are repeated keys: links that people can edit.
    parseSearch,
    stringifySearch,
  })
}

function parseSearch(text: string): Record<string, string | string[]> {
  const found: Record<string, string | string[]> = {}
  for (const [key, value] of new URLSearchParams(text)) {
    const before = found[key]
    found[key] = before === undefined ? value : [...(Array.isArray(before) ? before : [before]), value]
  }
  return found
}

function stringifySearch(search: Record<string, unknown>): string {
  const params = new URLSearchParams()
  for (const [key, value] of Object.entries(search)) {
    if (value === undefined || value === null || value === '') continue
    for (const one of Array.isArray(value) ? value : [value]) params.append(key, String(one))
  }
  const text = params.toString()
  return text === '' ? '' : `?${text}`
}

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof getRouter>
  }
}
