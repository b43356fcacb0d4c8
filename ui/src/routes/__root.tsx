/// <reference types="vite/client" />
import { type QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { ClientOnly, createRootRouteWithContext, HeadContent, Outlet, Scripts } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { below, pathOf } from '~/lib/base'
import appCss from '~/styles/app.css?url'

export const Route = createRootRouteWithContext<{ queryClient: QueryClient }>()({
  head: () => ({
    meta: [
      { charSet: 'utf-8' },
      { name: 'viewport', content: 'width=device-width, initial-scale=1' },
      { name: 'color-scheme', content: 'light dark' },
      { title: 'z4j' },
    ],
    links: [
      { rel: 'stylesheet', href: pathOf(appCss) },
      { rel: 'icon', href: below('/favicon.svg'), type: 'image/svg+xml' },
    ],
    scripts: [{ src: below('/theme-init.js') }],
  }),
  // The frame is not here: whatever the root shows is baked into the shell of every page.
  component: Root,
  shellComponent: Shell,
})

function Root() {
  const { queryClient } = Route.useRouteContext()
  return (
    <QueryClientProvider client={queryClient}>
      {/* The shell of every page is empty here, and the browser's first pass must find it so. An outlet in
          the shell is hydrated after its frame, and a page that has loaded by then does not match it
          (TanStack/router#8473): React then throws the document away and logs error 418. */}
      <ClientOnly>
        <Outlet />
      </ClientOnly>
    </QueryClientProvider>
  )
}

function Shell({ children }: { children: ReactNode }) {
  return (
    <html lang="en" suppressHydrationWarning>
      <head>
        <HeadContent />
      </head>
      <body>
        {children}
        <Scripts />
      </body>
    </html>
  )
}
