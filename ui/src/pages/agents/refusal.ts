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
  const counts = ['event_records', 'command_results', 'other_frames', 'capacity_evicted_frames', 'content_rejected_frames'] as const
  return [
    ...counts.map((key): [number, string] => [loss[key] ?? 0, s.agents.loss[key]]),
    ...Object.entries(loss.adapter_events ?? {}).map(([engine, n]): [number, string] => [n, s.agents.loss.adapter(engine)]),
  ].filter(([n]) => n > 0)
}

export const lossTotal = (loss: TelemetryLoss | null): number => lossLines(loss).reduce((sum, [n]) => sum + n, 0)
