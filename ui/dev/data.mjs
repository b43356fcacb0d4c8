// Made-up history for the mock brain: plausible, large, the same on every start.
import { randomUUID } from 'node:crypto'

let seed = 42
export function random() {
  seed = (seed * 1_664_525 + 1_013_904_223) % 4_294_967_296
  return seed / 4_294_967_296
}
export const pick = (list) => list[Math.floor(random() * list.length)]
export const iso = (ms) => new Date(ms).toISOString().replace(/\.(\d{3})Z$/, '.$1000Z')

const id = () => 'xxxxxxxx-xxxx-4xxx-8xxx-xxxxxxxxxxxx'.replace(/x/g, () => Math.floor(random() * 16).toString(16))

export const NAMES = [
  ['billing.tasks.charge_card', 'billing', 0.06, 900],
  ['mail.send_receipt', 'mail', 0.012, 240],
  ['mail.send_newsletter_batch', 'mail', 0.004, 5_200],
  ['reports.build_monthly_statement', 'reports', 0.03, 48_000],
  ['search.index_document', 'default', 0.001, 85],
  ['imports.customers.sync_from_crm_with_deduplication', 'imports', 0.09, 12_000],
  ['media.transcode_video', 'media', 0.02, 184_000],
  ['default.cleanup_sessions', 'default', 0, 31],
]
export const WORKERS = ['celery@web-1', 'celery@web-2', 'celery@batch-1.internal.example.net', 'celery@media-1']

const ERRORS = [
  ['requests.exceptions.ConnectTimeout', "HTTPSConnectionPool(host='payments.example.net', port=443): Max retries exceeded with url: /v1/charges"],
  ['KeyError', "'customer_id'"],
  ['billing.errors.CardDeclined', 'card ending 4242 was declined: insufficient_funds'],
  ['sqlalchemy.exc.OperationalError', '(psycopg.OperationalError) server closed the connection unexpectedly'],
]

function traceback(type, message) {
  return `Traceback (most recent call last):
  File "/usr/local/lib/python3.12/site-packages/celery/app/trace.py", line 453, in trace_task
    R = retval = fun(*args, **kwargs)
                 ^^^^^^^^^^^^^^^^^^^^
  File "/usr/local/lib/python3.12/site-packages/celery/app/trace.py", line 736, in __protected_call__
    return self.run(*args, **kwargs)
           ^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/app/billing/tasks.py", line 118, in charge_card
    receipt = gateway.charge(customer, amount, currency=currency)
              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/app/billing/gateway.py", line 64, in charge
    response = self.session.post(self.url("/v1/charges"), json=payload, timeout=5)
  File "/usr/local/lib/python3.12/site-packages/requests/sessions.py", line 637, in post
    return self.request("POST", url, data=data, json=json, **kwargs)
  File "/usr/local/lib/python3.12/site-packages/requests/adapters.py", line 688, in send
    raise ConnectTimeout(e, request=request)
${type}: ${message}
`
}

export function makeTask(at, fields = {}) {
  const [name, queue, failing, typical] = fields.kind ?? pick(NAMES)
  const ran = Math.max(2, typical * (0.4 + random() * 1.4))
  const wait = random() ** 3 * 4_000
  const state = fields.state ?? (random() < failing ? 'failure' : random() < 0.004 ? 'revoked' : 'success')
  const worker = queue === 'media' ? WORKERS[3] : queue === 'reports' || queue === 'imports' ? WORKERS[2] : pick(WORKERS.slice(0, 2))
  const started = ['pending', 'received'].includes(state) ? null : at + wait
  const ended = ['success', 'failure', 'revoked'].includes(state)
  const finished = ended ? at + wait + ran : null
  const error = state === 'failure' || state === 'retry' ? (name.startsWith('billing') ? pick([ERRORS[0], ERRORS[2]]) : pick(ERRORS)) : null
  const attempts = state === 'failure' && random() < 0.4 ? 2 : state === 'retry' ? 1 : 0
  return {
    engine: 'celery', task_id: id(), name, queue, state, priority: null,
    args: [Math.floor(random() * 90_000) + 10_000, 'eur'],
    kwargs: { customer: { id: Math.floor(random() * 9_000), email: '[REDACTED]', locale: 'de-DE' }, api_key: '[REDACTED]', amount_cents: Math.floor(random() * 20_000), lines: [{ sku: 'A-1', n: 2 }, { sku: 'B-7', n: 1 }] },
    result: state === 'success' ? { ok: true, receipt: `rcpt_${Math.floor(random() * 1e9)}`, token: '[REDACTED]' } : null,
    exception: error?.[0] ?? null, exception_message: error?.[1] ?? null, traceback: error ? traceback(...error) : null,
    retry_count: attempts, eta: null, sent_at: null, received_at: iso(at), started_at: started && iso(started), finished_at: finished && iso(finished),
    runtime_ms: finished ? Math.round(ran * 1_000) / 1_000 : null, wait_ms: started ? Math.round(wait) : null,
    worker_name: started ? worker : null, agent_id: fields.agent_id ?? null, parent_task_id: null, root_task_id: null,
    retried_as: null, retry_of: null, tags: [], created_at: iso(at), updated_at: iso(finished ?? started ?? at),
    ...fields.set,
  }
}

export function eventsOf(task) {
  const events = []
  const add = (kind, at, data = {}) => at && events.push({ id: randomUUID(), kind, occurred_at: at, received_at: iso(Date.parse(at) + 12), agent_id: task.agent_id, worker: task.worker_name, data })
  add('task.received', task.received_at, { args: task.args, kwargs: task.kwargs, queue: task.queue })
  if (task.retry_count > 0 && task.started_at) {
    const t = Date.parse(task.started_at)
    const r = Date.parse(task.received_at)
    add('task.started', iso(r + (t - r) * 0.2))
    add('task.retried', iso(r + (t - r) * 0.45), { exception: task.exception })
  }
  add('task.started', task.started_at)
  const last = { success: 'task.succeeded', failure: 'task.failed', revoked: 'task.revoked' }[task.state]
  if (last) add(last, task.finished_at, last === 'task.failed' ? { exception: task.exception, exception_message: task.exception_message } : {})
  return events
}

export function makeHistory(count, agentId) {
  const now = Date.now()
  const tasks = []
  for (let i = 0; i < count; i += 1) {
    // Most of it recent, and a burst of failing charges that began 22 minutes ago.
    const age = random() ** 2 * 26 * 3_600_000 + 2_000
    const burst = age < 22 * 60_000 && random() < 0.25
    const kind = burst ? NAMES[0] : pick(NAMES)
    const at = now - age - kind[3] * 1.9
    const task = makeTask(at, { kind, agent_id: agentId, ...(burst && random() < 0.45 ? { state: 'failure' } : {}) })
    if (Date.parse(task.updated_at) < now) tasks.push(task)
  }
  for (const state of ['started', 'started', 'started', 'received', 'received', 'pending', 'retry', 'lost', 'rejected', 'unknown']) {
    tasks.push(makeTask(now - 30_000 - random() * 60_000, { state, agent_id: agentId, kind: pick(NAMES.slice(0, 7)) }))
  }
  const failed = tasks.filter((t) => t.state === 'failure').sort((a, b) => (a.updated_at < b.updated_at ? 1 : -1))[3]
  const again = makeTask(Math.min(Date.parse(failed.updated_at) + 30_000, now - 8_000), { kind: NAMES[0], state: 'success', agent_id: agentId, set: { retry_of: failed.task_id, name: failed.name, queue: failed.queue } })
  failed.retried_as = again.task_id
  tasks.push(again)
  const parent = tasks.find((t) => t.name?.startsWith('reports') && t.state === 'success')
  parent.root_task_id = parent.task_id
  for (let i = 0; i < 4; i += 1) tasks.push(makeTask(Date.parse(parent.started_at) + i * 900, { kind: NAMES[1], agent_id: agentId, set: { parent_task_id: parent.task_id, root_task_id: parent.task_id } }))
  return { tasks, failed, parent }
}
