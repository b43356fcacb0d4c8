import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { call, post } from '~/api/client'
import type { Agent, Minted } from '~/api/types'
import { Failed } from '~/components/page'
import { Button } from '~/components/ui/button'
import { Dialog } from '~/components/ui/dialog'
import { Field } from '~/components/ui/field'
import { s } from '~/strings'
import { SecretsDialog } from './mint'

const path = (slug: string, id: string) => `/projects/${encodeURIComponent(slug)}/agents/${encodeURIComponent(id)}`

/** Revoking cannot be undone, so the name has to be typed. */
export function RevokeDialog({ slug, agent, onClose }: { slug: string; agent: Agent; onClose: () => void }) {
  const client = useQueryClient()
  const [typed, setTyped] = useState('')
  const revoke = useMutation({
    mutationFn: () => call('DELETE', path(slug, agent.id)),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: ['p', slug, 'agents'] })
      onClose()
    },
  })
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title={s.agents.revokeTitle(agent.name)}
      description={s.agents.revokeText(agent.connections.length)}
      footer={
        <>
          <Button onClick={onClose}>{s.common.cancel}</Button>
          <Button variant="danger" disabled={typed !== agent.name || revoke.isPending} onClick={() => revoke.mutate()} data-confirm>{s.agents.revoke}</Button>
        </>
      }
    >
      <Field className="mt-3" label={s.agents.typeName(agent.name)} value={typed} onChange={(e) => setTyped(e.target.value)} autoComplete="off" />
      {revoke.error && <div className="mt-3"><Failed error={revoke.error} what={s.agents.revoke} /></div>}
    </Dialog>
  )
}

export function RotateDialog({ slug, agent, onClose }: { slug: string; agent: Agent; onClose: () => void }) {
  const rotate = useMutation({ mutationFn: () => post<Minted>(`${path(slug, agent.id)}/rotate`) })
  if (rotate.data) return <SecretsDialog slug={slug} minted={rotate.data} rotated onClose={onClose} />
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title={s.agents.rotateTitle(agent.name)}
      description={s.agents.rotateText}
      footer={
        <>
          <Button onClick={onClose}>{s.common.cancel}</Button>
          <Button variant="primary" disabled={rotate.isPending} onClick={() => rotate.mutate()} data-confirm>{s.agents.rotateDo}</Button>
        </>
      }
    >
      {rotate.error && <div className="mt-3"><Failed error={rotate.error} what={s.agents.rotate} /></div>}
    </Dialog>
  )
}
