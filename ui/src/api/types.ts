// The shapes of the brain's REST interface and stream.

export type TaskState =
  | 'pending' | 'received' | 'started' | 'success' | 'failure'
  | 'retry' | 'revoked' | 'rejected' | 'lost' | 'unknown'

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

export interface Page<T> { items: T[]; next_cursor: string | null }

export interface User {
  id: string
  email: string
  display_name: string | null
  is_admin: boolean
  created_at: string
  last_login_at: string | null
}

export interface Membership {
  project: { id: string; slug: string; name: string }
  role: string
  actions: string[]
}

export interface Me {
  user: User
  memberships: Membership[]
  server: { version: string; now: string }
}

export interface Connection {
  worker_id: string | null
  worker_role: string | null
  pid: number | null
  connected_at: string
  last_seen_at: string
}

/** What an agent says it could not deliver; older agents leave members out. */
export interface TelemetryLoss {
  event_records?: number
  command_results?: number
  other_frames?: number
  capacity_evicted_frames?: number
  content_rejected_frames?: number
  adapter_events?: Record<string, number>
}

export interface Refusal { at: string; code: string; message: string; skew_seconds: number | null }

export type AgentState = 'never_connected' | 'online' | 'offline' | 'revoked'

export interface Agent {
  id: string
  name: string
  state: AgentState
  created_at: string
  revoked_at: string | null
  last_seen_at: string | null
  last_connected_at: string | null
  framework: string | null
  agent_version: string | null
  protocol_version: string | null
  host: string | null
  engines: string[]
  schedulers: string[]
  capabilities: Record<string, string[]>
  connections: Connection[]
  telemetry_loss: TelemetryLoss | null
  buffer_size: number | null
  adapter_health: Record<string, Json>
  last_refusal: Refusal | null
  events_refused: number
}

export interface Minted { agent: Agent; token: string; hmac_secret: string }

export interface TaskRow {
  engine: string
  task_id: string
  name: string | null
  queue: string | null
  state: TaskState
  priority: string | number | null
  exception: string | null
  exception_message: string | null
  retry_count: number
  eta: string | null
  sent_at: string | null
  received_at: string | null
  started_at: string | null
  finished_at: string | null
  runtime_ms: number | null
  wait_ms: number | null
  worker_name: string | null
  agent_id: string | null
  parent_task_id: string | null
  root_task_id: string | null
  retried_as: string | null
  retry_of: string | null
  tags: string[]
  created_at: string
  updated_at: string
}

export interface Task extends TaskRow {
  args: Json
  kwargs: Json
  result: Json
  traceback: string | null
  /** Why it was revoked or rejected, in the engine's words. */
  reason?: string | null
}

export interface TaskEvent {
  id: string
  kind: string
  occurred_at: string
  received_at: string
  agent_id: string | null
  worker: string | null
  data: Json
}

export interface TreeNode {
  engine: string
  task_id: string
  name: string | null
  state: TaskState
  parent_task_id: string | null
  started_at: string | null
  finished_at: string | null
  runtime_ms: number | null
}

export interface Tree { root: string | null; truncated: boolean; nodes: TreeNode[] }

export interface FacetValue { value: string; count: number }
export interface Facets {
  names: FacetValue[]
  queues: FacetValue[]
  workers: FacetValue[]
  engines: FacetValue[]
  states: FacetValue[]
}

export interface Worker {
  id: string
  engine: string
  name: string
  state: 'online' | 'offline' | 'unknown'
  last_seen_at: string | null
  pid: number | null
  concurrency: number | null
  active: number | null
  queues: string[]
  agent_id: string | null
  succeeded: number
  failed: number
  retried: number | null
  details?: Record<string, Json> | null
}

export interface Queue {
  id: string
  engine: string
  name: string
  depth: number | null
  depth_at: string | null
  last_seen_at: string | null
  waiting: number
  running: number
  failed_1h: number | null
}

export type CommandStatus =
  | 'pending' | 'dispatched' | 'acknowledged' | 'completed'
  | 'failed' | 'timed_out' | 'cancelled' | 'unknown'

export interface Command {
  id: string
  project_id: string
  agent_id: string | null
  issued_by: string | null
  issued_by_name: string | null
  action: string
  target_type: string | null
  target_id: string | null
  payload: Json
  status: CommandStatus
  result: Json
  error: string | null
  issued_at: string
  dispatched_at: string | null
  acknowledged_at: string | null
  completed_at: string | null
  timeout_at: string | null
}

export interface Outcomes { success: number; failure: number; revoked: number; rejected: number; retry: number }

export interface Stats {
  states: Partial<Record<TaskState, number>>
  window_minutes: number
  finished: Outcomes
  previous: Outcomes
  throughput_per_minute: number
  failure_rate: number | null
  agents: { online: number; offline: number; never_connected: number }
  workers: { online: number; offline: number }
  incomplete: boolean
  lost_events: number
}

export interface Bucket extends Outcomes { at: string; complete: boolean }
export interface Trends { bucket_minutes: number; buckets: Bucket[] }

export interface AuditEntry {
  id: string
  seq: number
  occurred_at: string
  actor: { kind: 'user' | 'agent' | 'system'; id: string | null; name: string | null }
  action: string
  target_type: string | null
  target_id: string | null
  outcome: string
  metadata: Json
}

export interface AuditPage extends Page<AuditEntry> {
  chain: { length: number; verified: boolean | null }
}
