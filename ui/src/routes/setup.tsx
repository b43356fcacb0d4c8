import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { createFileRoute, Link, useNavigate } from '@tanstack/react-router'
import { type FormEvent, useState } from 'react'
import { ApiError, post } from '~/api/client'
import { setupStatusQuery } from '~/api/queries'
import { Door } from '~/components/door'
import { Button, buttonClass } from '~/components/ui/button'
import { Field } from '~/components/ui/field'
import { below } from '~/lib/base'
import { s } from '~/strings'

export const Route = createFileRoute('/setup')({
  validateSearch: (search: Record<string, unknown>): { token?: string } =>
    typeof search['token'] === 'string' ? { token: search['token'] } : {},
  component: Setup,
})

const PASSWORD_CHARS_MIN = 12

function Setup() {
  const { token } = Route.useSearch()
  const status = useQuery(setupStatusQuery)
  if (status.data?.needed === false) {
    return (
      <Door title={s.setup.doneTitle} text={s.setup.doneText}>
        <Link to="/login" className={buttonClass('primary')}>{s.login.submit}</Link>
      </Door>
    )
  }
  if (!token) {
    return (
      <Door title={s.setup.noTokenTitle} text={s.setup.noTokenText}>
        <pre className="overflow-x-auto rounded-md border border-line bg-sunken p-3 text-sm">{below('/setup')}?token=…</pre>
      </Door>
    )
  }
  return <SetupForm token={token} />
}

function SetupForm({ token }: { token: string }) {
  const client = useQueryClient()
  const navigate = useNavigate()
  const [form, setForm] = useState({ email: '', display_name: '', password: '', again: '' })
  const [tried, setTried] = useState(false)
  const set = (key: keyof typeof form) => (event: { target: { value: string } }) =>
    setForm((old) => ({ ...old, [key]: event.target.value }))
  const complete = useMutation({
    mutationFn: () =>
      post('/setup/complete', {
        token,
        email: form.email.trim(),
        password: form.password,
        ...(form.display_name.trim() && { display_name: form.display_name.trim() }),
      }),
    onSuccess: async () => {
      client.clear()
      await navigate({ to: '/', replace: true })
    },
  })
  const short = form.password.length < PASSWORD_CHARS_MIN
  const differs = form.password !== form.again
  const weak = complete.error instanceof ApiError && complete.error.code === 'weak_password'
  const submit = (event: FormEvent) => {
    event.preventDefault()
    setTried(true)
    if (!short && !differs && form.email.includes('@')) complete.mutate()
  }
  return (
    <Door title={s.setup.title} text={s.setup.text}>
      <form onSubmit={submit} className="space-y-4" noValidate>
        {complete.error && !weak && (
          <p role="alert" className="rounded-md border border-danger/40 bg-danger-soft px-3 py-2 text-sm">
            {explain(complete.error)}
          </p>
        )}
        <Field
          label={s.login.email} type="email" autoComplete="username" required autoFocus
          value={form.email} onChange={set('email')}
          error={tried && !form.email.includes('@') ? s.setup.emailWrong : null}
        />
        <Field label={s.setup.displayName} autoComplete="name" value={form.display_name} onChange={set('display_name')} />
        <Field
          label={s.login.password} type="password" autoComplete="new-password" required
          value={form.password} onChange={set('password')} hint={s.setup.passwordHint}
          error={weak ? weakReason(complete.error) : tried && short ? s.setup.passwordShort : null}
        />
        <Field
          label={s.setup.again} type="password" autoComplete="new-password" required
          value={form.again} onChange={set('again')}
          error={(tried || form.again.length >= form.password.length) && form.again !== '' && differs ? s.setup.differs : null}
        />
        <Button type="submit" variant="primary" className="h-9 w-full" disabled={complete.isPending}>
          {s.setup.submit}
        </Button>
      </form>
    </Door>
  )
}

function weakReason(error: Error | null): string {
  const reason = error instanceof ApiError ? error.details['reason'] : null
  return typeof reason === 'string' ? reason : (error?.message ?? '')
}

function explain(error: Error): string {
  if (!(error instanceof ApiError)) return s.errors.unexpected
  if (error.code === 'setup_token_invalid') return s.setup.tokenInvalid
  if (error.code === 'setup_done') return s.setup.doneText
  return error.message
}
