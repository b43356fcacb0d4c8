import { useQuery } from '@tanstack/react-query'
import { createFileRoute, Outlet, useLocation, useNavigate } from '@tanstack/react-router'
import { useEffect } from 'react'
import { ApiError } from '~/api/client'
import { meQuery, setupStatusQuery } from '~/api/queries'
import { Bones, Failed } from '~/components/page'
import { learnServerTime } from '~/lib/time'
import { s } from '~/strings'

export const Route = createFileRoute('/_app')({ component: SignedIn })

/** Everything below needs a session; without one the visitor goes to sign-in, or to set-up. */
function SignedIn() {
  const me = useQuery(meQuery)
  const signedOut = me.error instanceof ApiError && me.error.status === 401
  const setup = useQuery({ ...setupStatusQuery, enabled: signedOut })
  const navigate = useNavigate()
  const location = useLocation()

  useEffect(() => {
    if (me.data) learnServerTime(me.data.server.now)
  }, [me.data])

  useEffect(() => {
    // While the next page loads this one is still there and already sees the new address.
    const leaving = location.pathname === '/login' || location.pathname === '/setup'
    if (!signedOut || setup.isPending || leaving) return
    if (setup.data?.needed) void navigate({ to: '/setup', replace: true })
    else {
      const back = location.href === '/' ? undefined : location.publicHref
      void navigate({ to: '/login', search: { ...(back && { next: back }) }, replace: true })
    }
  }, [signedOut, setup.isPending, setup.data, navigate, location.href, location.publicHref, location.pathname])

  if (me.data) return <Outlet />
  if (me.error && !signedOut) {
    return (
      <div className="mx-auto max-w-xl p-6">
        <Failed error={me.error} what={s.errors.session} onRetry={() => void me.refetch()} />
      </div>
    )
  }
  return <Bones className="p-6" />
}
