// The shapes of the brain's REST interface, from its OpenAPI document (`npm run gen`), made
// narrower where the document only says "string" or "any value".
import type { components } from './schema'

type Schemas = components['schemas']

/** The document calls optional what may be null; the brain always sends it. */
type Sent<T> = { [K in keyof T]-?: T[K] }
type Narrow<T, R extends { [K in keyof T]?: unknown }> = Sent<Omit<T, keyof R>> & R

export type TaskState =
  | 'pending' | 'received' | 'started' | 'success' | 'failure'
  | 'retry' | 'revoked' | 'rejected' | 'lost' | 'unknown'

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

export interface Page<T> { items: T[]; next_cursor: string | null }

export type User = Sent<Schemas['User']>
export type Membership = Sent<Schemas['Membership']>
export type Me = Narrow<Schemas['Me'], { user: User; memberships: Membership[] }>

/** What an agent says it could not deliver; older agents leave members out. */
export interface TelemetryLoss {
  event_records?: number
  command_results?: number
  other_frames?: number
  capacity_evicted_frames?: number
  content_rejected_frames?: number
  adapter_events?: Record<string, number>
}

export type AgentState = 'never_connected' | 'online' | 'offline' | 'revoked'
export type Connection = Sent<Schemas['Connection']>
export type Refusal = Sent<Schemas['Refusal']>
export type Agent = Narrow<
  Schemas['Agent'],
  { state: AgentState; connections: Connection[]; telemetry_loss: TelemetryLoss | null; last_refusal: Refusal | null }
>
export type Minted = Narrow<Schemas['MintedAgent'], { agent: Agent }>

type Payload = keyof Schemas['TaskPayload']
type Summary = Omit<NonNullable<Schemas['Task']>, Payload>
/** A task as lists and the stream have it. */
export type TaskRow = Narrow<Summary, { state: TaskState }>
/** A task with what only its own page needs. */
export type Task = TaskRow & {
  args: Json
  kwargs: Json
  result: Json
  traceback: string | null
  /** Why it was revoked or rejected, in the engine's words. */
  reason?: string | null
}
export type TaskEvent = Narrow<Schemas['TaskEvent'], { data: Json; agent_id: string | null }>
export type TreeNode = Narrow<Schemas['TreeNode'], { state: TaskState }>
export type Tree = Narrow<Schemas['Tree'], { nodes: TreeNode[]; root: string | null }>
export type FacetValue = Sent<Schemas['FacetValue']>
export type Facets = Sent<Schemas['TaskFacets']>

export type Worker = Narrow<
  Omit<Schemas['Worker'], 'details'>,
  { state: 'online' | 'offline' | 'unknown'; last_seen_at: string | null; agent_id: string | null }
> & { details?: Record<string, Json> | null }
export type Queue = Narrow<Schemas['Queue'], { last_seen_at: string | null }>

export type CommandStatus =
  | 'pending' | 'dispatched' | 'acknowledged' | 'completed'
  | 'failed' | 'timed_out' | 'cancelled' | 'unknown'
export type Command = Narrow<
  Schemas['Command'],
  { status: CommandStatus; payload: Json; result: Json; agent_id: string | null; timeout_at: string | null }
>

export type Outcomes = Sent<Schemas['Finished']>
export type Stats = Narrow<Schemas['Stats'], { states: Partial<Record<TaskState, number>> }>
export type Bucket = Sent<Schemas['Bucket']>
export type Trends = Narrow<Schemas['Trends'], { buckets: Bucket[] }>

export type AuditEntry = Narrow<
  Schemas['Entry'],
  { actor: { kind: string; id: string | null; name: string | null }; metadata: Json }
>
export type AuditPage = Page<AuditEntry> & { chain: Sent<Schemas['Chain']> }
