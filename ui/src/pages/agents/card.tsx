import { ChevronRight } from 'lucide-react'
import type { Agent } from '~/api/types'
import { Ago, Exact, Fact } from '~/components/bits'
import { AgentWord, Mark } from '~/components/state-mark'
import { Button } from '~/components/ui/button'
import { exactCount } from '~/lib/format'
import { s } from '~/strings'
import { isRefused, lossLines, lossTotal, refusalText } from './refusal'

/** One agent: a line that opens to everything known about it. */
export function AgentCard({
  agent, open, onRevoke, onRotate,
}: { agent: Agent; open: boolean; onRevoke: (() => void) | null; onRotate: (() => void) | null }) {
  const refused = isRefused(agent)
  const lost = lossTotal(agent.telemetry_loss)
  return (
    <li id={agent.id} data-agent={agent.id} data-state={agent.state} className="scroll-mt-16">
      <details open={open} className="group">
        <summary className="grid min-h-11 list-none grid-cols-[16px_minmax(0,1fr)_auto] items-center gap-x-3 px-4 py-1.5 text-sm hover:bg-hover sm:grid-cols-[16px_minmax(0,1.4fr)_148px_minmax(0,1.2fr)_minmax(0,1fr)_92px] [&::-webkit-details-marker]:hidden">
          <ChevronRight className="size-4 text-muted group-open:rotate-90" aria-hidden />
          <span className="truncate font-medium">{agent.name}</span>
          <AgentWord state={agent.state} />
          <span className="col-start-2 flex min-w-0 items-center gap-2 text-muted sm:col-start-auto">
            {refused ? (
              <span className="flex items-center gap-1.5 truncate text-danger"><Mark state="failure" />{s.act.refused}: {agent.last_refusal?.code}</span>
            ) : lost > 0 ? (
              <span className="flex items-center gap-1.5 truncate text-st-lost"><Mark state="lost" />{s.agents.lossShort(lost)}</span>
            ) : (
              <span className="truncate">{agent.host ?? '–'}</span>
            )}
          </span>
          <span className="hidden truncate text-muted sm:block">{agent.engines.join(', ') || '–'}{agent.agent_version && ` · ${agent.agent_version}`}</span>
          <Ago at={agent.last_seen_at} className="text-right text-muted" />
        </summary>
        <div className="space-y-4 border-t border-line bg-bg px-4 py-4 sm:pl-11">
          {agent.last_refusal && agent.state !== 'revoked' && (
            <div className={`rounded-md border px-3 py-2 text-sm ${refused ? 'border-danger/40 bg-danger-soft' : 'border-line'}`}>
              <p className="font-medium">
                {refused ? s.agents.refusedTitle : s.agents.refusedWas} · <Ago at={agent.last_refusal.at} />
              </p>
              <p>{refusalText(agent.last_refusal)}</p>
              <p className="mt-0.5 text-xs text-muted"><code>{agent.last_refusal.code}</code> {agent.last_refusal.message}</p>
            </div>
          )}
          {lost > 0 && (
            <div className="rounded-md border border-st-lost/45 bg-warn-soft px-3 py-2 text-sm">
              <p className="font-medium">{s.agents.lossTitle}</p>
              <p>{s.agents.lossText}</p>
              <ul className="num mt-1">
                {lossLines(agent.telemetry_loss).map(([n, what]) => <li key={what}>{exactCount(n)} {what}</li>)}
              </ul>
            </div>
          )}
          {agent.events_refused > 0 && <p className="text-sm">{s.agents.eventsRefused(agent.events_refused)}</p>}
          {agent.state === 'never_connected' && !refused && <p className="text-sm text-muted">{s.agents.neverText}</p>}
          <Facts agent={agent} />
          {agent.state !== 'never_connected' && agent.state !== 'revoked' && <Connections agent={agent} />}
          {(onRotate || onRevoke) && (
            <div className="flex flex-wrap gap-2">
              {onRotate && <Button onClick={onRotate} data-action="rotate">{s.agents.rotate}</Button>}
              {onRevoke && <Button onClick={onRevoke} data-action="revoke" className="text-danger">{s.agents.revoke}</Button>}
            </div>
          )}
        </div>
      </details>
    </li>
  )
}

function Facts({ agent }: { agent: Agent }) {
  const capabilities = Object.entries(agent.capabilities)
  const health = Object.entries(agent.adapter_health)
  return (
    <dl className="grid grid-cols-[repeat(auto-fill,minmax(min(100%,230px),1fr))] gap-x-6 gap-y-3">
      <Fact name={s.agents.created}><Exact at={agent.created_at} /></Fact>
      {agent.revoked_at && <Fact name={s.agents.revokedAt}><Exact at={agent.revoked_at} /></Fact>}
      <Fact name={s.agents.seen}><Exact at={agent.last_seen_at} /></Fact>
      {agent.host && <Fact name={s.agents.host}><code>{agent.host}</code></Fact>}
      {agent.framework && <Fact name={s.agents.framework}>{agent.framework}</Fact>}
      {agent.agent_version && <Fact name={s.agents.version}>{agent.agent_version}</Fact>}
      {agent.protocol_version && <Fact name={s.agents.protocol}>{agent.protocol_version}</Fact>}
      {agent.schedulers.length > 0 && <Fact name={s.agents.schedulers}>{agent.schedulers.join(', ')}</Fact>}
      {agent.buffer_size !== null && <Fact name={s.agents.buffer}><span className="num">{exactCount(agent.buffer_size)}</span></Fact>}
      {capabilities.map(([adapter, can]) => (
        <Fact key={adapter} name={`${s.agents.can} (${adapter})`} className="col-span-full">
          <span className="text-muted">{can.join(', ') || s.common.none}</span>
        </Fact>
      ))}
      {health.map(([key, value]) => (
        <Fact key={key} name={`${s.agents.health}: ${key}`}>{typeof value === 'string' ? value : JSON.stringify(value)}</Fact>
      ))}
    </dl>
  )
}

function Connections({ agent }: { agent: Agent }) {
  if (agent.connections.length === 0) return <p className="text-sm text-muted">{s.agents.noConnections}</p>
  return (
    <div className="overflow-x-auto" tabIndex={0} role="region" aria-label={s.agents.connections}>
      <table className="w-full max-w-[760px] text-sm">
        <caption className="pb-1 text-left text-xs text-muted">{s.agents.connections}</caption>
        <thead className="text-xs text-muted">
          <tr>
            {[s.agents.worker, s.agents.role, s.workers.pid, s.agents.connectedAt, s.agents.seen].map((name) => (
              <th key={name} scope="col" className="pr-4 pb-1 text-left font-normal whitespace-nowrap">{name}</th>
            ))}
          </tr>
        </thead>
        <tbody>
          {agent.connections.map((connection, at) => (
            <tr key={connection.worker_id ?? at} className="h-8 border-t border-line">
              <td className="max-w-72 truncate pr-4"><code>{connection.worker_id ?? '–'}</code></td>
              <td className="pr-4">{connection.worker_role ?? '–'}</td>
              <td className="num pr-4">{connection.pid ?? '–'}</td>
              <td className="pr-4"><Ago at={connection.connected_at} /></td>
              <td className="pr-4"><Ago at={connection.last_seen_at} /></td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
