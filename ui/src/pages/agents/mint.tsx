import { useMutation, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { ApiError, post } from '~/api/client'
import type { Minted } from '~/api/types'
import { Button } from '~/components/ui/button'
import { Dialog } from '~/components/ui/dialog'
import { Field } from '~/components/ui/field'
import { Failed } from '~/components/page'
import { brainUrl } from '~/lib/base'
import { s } from '~/strings'
import { Snippet } from '../connect/snippet'
import { envLines } from '../connect/stacks'

export function MintForm({ slug, onMinted, compact = false }: { slug: string; onMinted: (minted: Minted) => void; compact?: boolean }) {
  const client = useQueryClient()
  const [name, setName] = useState(compact ? 'worker-1' : '')
  const mint = useMutation({
    mutationFn: () => post<Minted>(`/projects/${encodeURIComponent(slug)}/agents`, { name: name.trim() }),
    onSuccess: (minted) => {
      void client.invalidateQueries({ queryKey: ['p', slug, 'agents'] })
      onMinted(minted)
    },
  })
  const taken = mint.error instanceof ApiError && mint.error.code === 'name_taken'
  const submit = (event: FormEvent) => {
    event.preventDefault()
    mint.mutate()
  }
  return (
    <form onSubmit={submit} data-form="mint" className="flex flex-wrap items-end gap-2">
      <Field
        label={s.agents.name} hint={s.agents.nameHint} error={taken ? s.agents.nameTaken : null}
        value={name} onChange={(e) => setName(e.target.value)} maxLength={100} autoComplete="off" className="min-w-60 flex-1"
      />
      <Button type="submit" variant="primary" className="h-9 sm:mb-5.5" disabled={mint.isPending || name.trim() === ''}>
        {s.agents.create}
      </Button>
      {mint.error && !taken && <div className="w-full"><Failed error={mint.error} what={s.agents.create} /></div>}
    </form>
  )
}

export function MintDialog({ slug, onClose }: { slug: string; onClose: () => void }) {
  const [minted, setMinted] = useState<Minted | null>(null)
  if (minted) return <SecretsDialog slug={slug} minted={minted} onClose={onClose} />
  return (
    <Dialog open onOpenChange={(open) => !open && onClose()} title={s.agents.mintTitle} description={s.agents.mintText}>
      <div className="mt-3"><MintForm slug={slug} onMinted={setMinted} /></div>
    </Dialog>
  )
}

/** Shows both secrets once; a click beside it does not lose them. */
export function SecretsDialog({ slug, minted, rotated = false, onClose }: { slug: string; minted: Minted; rotated?: boolean; onClose: () => void }) {
  return (
    <Dialog
      open
      wide
      onOpenChange={() => undefined}
      title={s.agents.secretsTitle(minted.agent.name)}
      description={<>{s.agents.secretsText} {rotated && s.agents.rotatedText}</>}
      footer={<Button variant="primary" onClick={onClose} data-confirm>{s.agents.copied}</Button>}
    >
      <p className="mt-3 mb-1 text-xs text-muted">{s.agents.env}</p>
      <Snippet
        text={envLines({ url: brainUrl(), token: minted.token, project: slug, secret: minted.hmac_secret })}
        label={s.agents.env}
        testId="credentials"
      />
    </Dialog>
  )
}
