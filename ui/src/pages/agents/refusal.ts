import type { Agent, Refusal, TelemetryLoss } from '~/api/types'
import { duration } from '~/lib/format'
import { s } from '~/strings'

/** Why a connection was refused and what to do about it. */
export function refusalText(refusal: Refusal): string {
  const reason = s.agents.reasons[refusal.code] ?? refusal.message
  const skew = refusal.skew_seconds === null ? '' : ` ${s.agents.skew(duration(Math.abs(refusal.skew_seconds) * 1_000))}`
  return reason + skew
}

/** True while the last thing that happened to this agent is a refusal. */
export function isRefused(agent: Agent): boolean {
  const { last_refusal: refusal, last_connected_at: connected, state } = agent
  if (refusal === null || state === 'online' || state === 'revoked') return false
  return connected === null || Date.parse(refusal.at) > Date.parse(connected)
}

export function lossLines(loss: TelemetryLoss | null): [number, string][] {
  if (loss === null) return []
  const { adapter_events: adapters, ...counts } = loss
  return [
    ...(Object.keys(counts) as (keyof typeof counts)[]).map((key): [number, string] => [counts[key], s.agents.loss[key]]),
    ...Object.entries(adapters).map(([engine, n]): [number, string] => [n, s.agents.loss.adapter(engine)]),
  ].filter(([n]) => n > 0)
}

export const lossTotal = (loss: TelemetryLoss | null): number => lossLines(loss).reduce((sum, [n]) => sum + n, 0)
