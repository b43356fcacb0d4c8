import { useQuery } from '@tanstack/react-query'
import { Link, useLocation } from '@tanstack/react-router'
import { Plus } from 'lucide-react'
import { useState } from 'react'
import { agentsQuery } from '~/api/queries'
import type { Agent } from '~/api/types'
import { Bones, Empty, Failed, PageFrame } from '~/components/page'
import { Button, buttonClass } from '~/components/ui/button'
import { useProject } from '~/lib/project'
import { s } from '~/strings'
import { AgentCard } from './card'
import { RevokeDialog, RotateDialog } from './dialogs'
import { MintDialog } from './mint'
import { isRefused, lossTotal } from './refusal'

type Acting = { kind: 'mint' } | { kind: 'revoke' | 'rotate'; agent: Agent }
const RANK = { offline: 1, online: 2, never_connected: 3, revoked: 4 }
const urgency = (agent: Agent) => (isRefused(agent) ? 0 : lossTotal(agent.telemetry_loss) > 0 ? 0.5 : RANK[agent.state])

/** What needs a person comes first: refused, losing telemetry, offline; then the rest. */
export function AgentsPage() {
  const { slug, can } = useProject()
  const query = useQuery(agentsQuery(slug))
  const hash = useLocation({ select: (l) => l.hash })
  const [acting, setActing] = useState<Acting | null>(null)
  const agents = [...(query.data?.items ?? [])].sort((a, b) => urgency(a) - urgency(b) || a.name.localeCompare(b.name))
  const close = () => setActing(null)
  return (
    <PageFrame
      title={s.agents.title}
      actions={
        can('agent.mint') && (
          <>
            <Link to="/projects/$slug/connect" params={{ slug }} className={buttonClass()}>{s.connect.title}</Link>
            <Button variant="primary" onClick={() => setActing({ kind: 'mint' })} data-action="mint">
              <Plus className="size-4" aria-hidden />
              {s.agents.mint}
            </Button>
          </>
        )
      }
    >
      {query.error ? (
        <Failed error={query.error} what={s.errors.list(s.agents.title)} onRetry={() => void query.refetch()} />
      ) : query.isPending ? (
        <Bones />
      ) : agents.length === 0 ? (
        <Empty
          title={s.agents.emptyTitle}
          action={can('agent.mint') && <Link to="/projects/$slug/connect" params={{ slug }} className={buttonClass('primary')}>{s.agents.connectFirst}</Link>}
        >
          {s.agents.emptyText}
        </Empty>
      ) : (
        <ul className="divide-y divide-line rounded-md border border-line bg-surface">
          {agents.map((agent) => (
            <AgentCard
              key={agent.id}
              agent={agent}
              open={hash === agent.id || isRefused(agent)}
              onRevoke={can('agent.revoke') && agent.state !== 'revoked' ? () => setActing({ kind: 'revoke', agent }) : null}
              onRotate={can('agent.mint') && agent.state !== 'revoked' ? () => setActing({ kind: 'rotate', agent }) : null}
            />
          ))}
        </ul>
      )}
      {acting?.kind === 'mint' && <MintDialog slug={slug} onClose={close} />}
      {acting?.kind === 'revoke' && <RevokeDialog slug={slug} agent={acting.agent} onClose={close} />}
      {acting?.kind === 'rotate' && <RotateDialog slug={slug} agent={acting.agent} onClose={close} />}
    </PageFrame>
  )
}
