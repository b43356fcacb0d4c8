import { useMutation, useQueryClient } from '@tanstack/react-query'
import { createFileRoute, useRouter } from '@tanstack/react-router'
import { type FormEvent, useState } from 'react'
import { ApiError, post } from '~/api/client'
import { Door } from '~/components/door'
import { Button } from '~/components/ui/button'
import { Field } from '~/components/ui/field'
import { duration } from '~/lib/format'
import { below } from '~/lib/base'
import { s } from '~/strings'

export const Route = createFileRoute('/login')({
  validateSearch: (search: Record<string, unknown>): { next?: string } =>
    typeof search['next'] === 'string' ? { next: search['next'] } : {},
  component: Login,
})

/** Only a path of this dashboard: a link must not send anyone elsewhere after sign-in. */
export const safeNext = (next: string | undefined): string =>
  next !== undefined && /^\/(?![/\\])/.test(next) && next.startsWith(below('/')) && !next.startsWith(below('/login')) ? next : below('/')

function Login() {
  const { next } = Route.useSearch()
  const router = useRouter()
  const client = useQueryClient()
  const [email, setEmail] = useState('')
  const [password, setPassword] = useState('')
  const [remember, setRemember] = useState(false)
  const login = useMutation({
    mutationFn: () => post('/auth/login', { email, password, remember }),
    onSuccess: async () => {
      client.clear()
      await router.navigate({ href: safeNext(next), replace: true })
    },
  })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    login.mutate()
  }
  return (
    <Door title={s.login.title}>
      <form onSubmit={submit} className="space-y-4" noValidate>
        {login.error && (
          <p role="alert" className="rounded-md border border-danger/40 bg-danger-soft px-3 py-2 text-sm">
            {explain(login.error)}
          </p>
        )}
        <Field label={s.login.email} type="email" autoComplete="username" required autoFocus value={email} onChange={(e) => setEmail(e.target.value)} />
        <Field
          label={s.login.password}
          type="password"
          autoComplete="current-password"
          required
          value={password}
          onChange={(e) => setPassword(e.target.value)}
        />
        <label className="flex items-center gap-2 text-sm">
          <input type="checkbox" checked={remember} onChange={(e) => setRemember(e.target.checked)} className="size-4 accent-(--accent)" />
          {s.login.remember}
        </label>
        <Button type="submit" variant="primary" className="h-9 w-full" disabled={login.isPending || !email || !password}>
          {s.login.submit}
        </Button>
      </form>
    </Door>
  )
}

function explain(error: Error): string {
  if (!(error instanceof ApiError)) return s.errors.unexpected
  const seconds = error.details['retry_after_seconds']
  if (error.status === 429 && typeof seconds === 'number') return s.login.tooMany(duration(seconds * 1_000))
  if (error.code === 'bad_credentials') return s.login.wrong
  return error.message
}
