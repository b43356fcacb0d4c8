// A brain that is not one: the REST shapes and the stream in memory, for working on the dashboard,
// for its browser test and for screenshots. Not shipped.
//   node dev/mock.mjs [--port 7799] [--fresh] [--slow MS]
// --fresh starts without a user and without history; a fake worker connects once an agent is minted.
import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { extname, join, normalize } from 'node:path'
import { eventsOf, iso, makeHistory, makeTask, NAMES, pick, random, WORKERS } from './data.mjs'

const option = (name, fallback) => {
  const at = process.argv.indexOf(`--${name}`)
  return at === -1 ? fallback : process.argv[at + 1]
}
const PORT = Number(option('port', '7799'))
const FRESH = process.argv.includes('--fresh')
const SLOW_MS = Number(option('slow', '0'))
const TOKEN = 'mock-setup-token'
const client = new URL('../dist/client', import.meta.url).pathname
const now = () => iso(Date.now())

const state = { user: null, signedIn: FRESH ? new Set() : null, agents: [], tasks: new Map(), commands: [], audit: [], project: { id: randomUUID(), slug: 'default', name: 'Default' } }
const ACTIONS = 'project.read agent.read agent.mint agent.revoke task.read task.retry task.cancel command.read worker.read queue.read stream.read audit.read project.manage member.manage'.split(' ')
const keyOf = (t) => `${t.engine}:${t.task_id}`
const rowOf = ({ args, kwargs, result, traceback, ...row }) => row

function newAgent(name, fields = {}) {
  return {
    id: randomUUID(), name, state: 'never_connected', created_at: now(), revoked_at: null, last_seen_at: null, last_connected_at: null, framework: null, agent_version: null,
    protocol_version: null, host: null, engines: [], schedulers: [], capabilities: {}, connections: [], telemetry_loss: null, buffer_size: null, adapter_health: {}, last_refusal: null, events_refused: 0, ...fields,
  }
}
function connect(agent) {
  Object.assign(agent, {
    state: 'online', last_seen_at: now(), last_connected_at: now(), framework: 'bare', agent_version: '1.13.0', protocol_version: '2', host: 'web-1.internal.example.net', engines: ['celery'], buffer_size: 0,
    capabilities: { celery: ['retry_task', 'cancel_task', 'rate_limit', 'purge_queue', 'restart_worker'] }, adapter_health: { celery: 'ok' },
    connections: [{ worker_id: 'celery@web-1', worker_role: 'task', pid: 4711, connected_at: now(), last_seen_at: now() }],
  })
}
function audit(action, target_type, target_id, outcome = 'allow') {
  state.audit.unshift({ id: randomUUID(), seq: state.audit.length + 1, occurred_at: now(), actor: { kind: 'user', id: state.user?.id ?? null, name: state.user?.display_name ?? null }, action, target_type, target_id, outcome, metadata: {} })
}
function addUser(email, name) {
  state.user = { id: randomUUID(), email, display_name: name ?? null, is_admin: true, created_at: now(), last_login_at: now() }
}
if (!FRESH) {
  addUser('ada@example.net', 'Ada')
  const agent = newAgent('web-workers')
  connect(agent)
  agent.connections.push({ worker_id: 'celery@web-2', worker_role: 'task', pid: 4712, connected_at: now(), last_seen_at: now() })
  const old = newAgent('batch-workers', { telemetry_loss: { event_records: 1_204, command_results: 0, other_frames: 3, capacity_evicted_frames: 0, content_rejected_frames: 0, adapter_events: { celery: 17 } } })
  connect(old)
  Object.assign(old, { host: 'batch-1.internal.example.net', state: 'offline', connections: [], last_seen_at: iso(Date.now() - 190_000) })
  const refused = newAgent('staging', { last_refusal: { at: iso(Date.now() - 42_000), code: 'bad_signature', message: 'heartbeat frame 2: MAC does not match', skew_seconds: null } })
  state.agents.push(agent, old, refused, newAgent('laptop'), newAgent('old-cluster', { state: 'revoked', revoked_at: now() }))
  for (const task of makeHistory(10_000, agent.id).tasks) state.tasks.set(keyOf(task), task)
  for (const [status, error] of [['completed', null], ['failed', 'The engine refused: original arguments are not in the result backend (result_extended is off).'], ['unknown', null], ['timed_out', null], ['acknowledged', null]]) {
    const task = pick([...state.tasks.values()])
    const at = Date.now() - 3_600_000 * random()
    state.commands.push({
      id: randomUUID(), project_id: state.project.id, agent_id: agent.id, issued_by: state.user.id, issued_by_name: 'Ada', action: pick(['retry_task', 'cancel_task']), target_type: 'task', target_id: keyOf(task),
      payload: { engine: 'celery', task_id: task.task_id }, status, result: status === 'completed' ? { ok: true } : null, error, issued_at: iso(at), dispatched_at: iso(at + 14), acknowledged_at: iso(at + 51),
      completed_at: status === 'acknowledged' ? null : iso(at + 480), timeout_at: iso(at + 60_000),
    })
  }
  for (const action of ['auth.login', 'agent.mint', 'command.retry_task', 'agent.revoke']) audit(action, 'agent', agent.id)
}

// ---- stream -----------------------------------------------------------------------------------
const streams = new Set()
let lastId = 0
function send(event, data, only) {
  lastId += 1
  for (const response of only ? [only] : streams) response.write(`id: ${lastId}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
}
setInterval(() => {
  for (const response of streams) response.write(': beat\n\n')
}, 5_000).unref()
const changed = (task) => {
  task.updated_at = now()
  state.tasks.set(keyOf(task), task)
  send('tasks', { items: [rowOf(task)] })
}
function run(kind, set = {}, agent = state.agents.find((a) => a.state === 'online')) {
  const task = makeTask(Date.now(), { kind, state: 'received', agent_id: agent?.id ?? null, set: { created_at: now(), ...set } })
  changed(task)
  const begin = Date.now()
  setTimeout(() => changed(Object.assign(task, { state: 'started', started_at: now(), worker_name: WORKERS[0], wait_ms: Date.now() - begin })), 350)
  setTimeout(() => {
    if (task.state !== 'started') return
    const bad = set.retry_of === undefined && random() < (kind[2] > 0.02 ? 0.35 : 0.02)
    const end = makeTask(begin, { kind, state: bad ? 'failure' : 'success' })
    const { exception, exception_message, traceback, result } = end
    changed(Object.assign(task, { state: end.state, exception, exception_message, traceback, result, finished_at: now(), runtime_ms: Date.now() - Date.parse(task.started_at) }))
  }, 700 + random() * 2_500)
  return task
}
setInterval(() => {
  if (state.agents.some((a) => a.state === 'online')) run(pick(NAMES))
}, 900).unref()

// ---- answers ----------------------------------------------------------------------------------
class Refusal extends Error {
  constructor(status, code, message, details = {}) {
    super(message)
    Object.assign(this, { status, code, details })
  }
}
const page = (items, query, size = 50) => {
  const limit = Number(query.get('limit') ?? size)
  const from = Number(query.get('cursor') ?? 0)
  return { items: items.slice(from, from + limit), next_cursor: from + limit < items.length ? String(from + limit) : null }
}
function find(query) {
  const one = (key) => query.get(key)
  const states = query.getAll('state')
  const text = one('search')?.toLowerCase()
  const rows = [...state.tasks.values()].filter(
    (t) =>
      (states.length === 0 || states.includes(t.state)) && (!one('name') || t.name === one('name')) && (!one('queue') || t.queue === one('queue')) && (!one('worker') || t.worker_name === one('worker')) &&
      (!one('engine') || t.engine === one('engine')) && (!one('since') || Date.parse(t.updated_at) >= Date.parse(one('since'))) && (!one('until') || Date.parse(t.updated_at) <= Date.parse(one('until'))) &&
      (!text || JSON.stringify([t.name, t.task_id, t.args, t.kwargs]).toLowerCase().includes(text)),
  )
  const sort = one('sort') ?? '-updated_at'
  const field = sort.replace('-', '')
  const sign = sort.startsWith('-') ? -1 : 1
  return rows.sort((a, b) => (a[field] === b[field] ? 0 : a[field] === null ? 1 : b[field] === null ? -1 : (a[field] < b[field] ? -1 : 1) * sign))
}
function outcomes(from, to) {
  const total = { success: 0, failure: 0, revoked: 0, rejected: 0, retry: 0 }
  for (const t of state.tasks.values()) {
    const at = Date.parse(t.finished_at ?? t.updated_at)
    if (at >= from && at < to) {
      if (t.state in total) total[t.state] += 1
      if (t.retry_count > 0) total.retry += t.retry_count
    }
  }
  return total
}
function stats(minutes) {
  const states = {}
  for (const t of state.tasks.values()) states[t.state] = (states[t.state] ?? 0) + 1
  const end = Date.now()
  const finished = outcomes(end - minutes * 60_000, end + 1_000)
  const ended = finished.success + finished.failure
  const count = (s) => state.agents.filter((a) => a.state === s).length
  return {
    states, window_minutes: minutes, finished, previous: outcomes(end - 2 * minutes * 60_000, end - minutes * 60_000), throughput_per_minute: ended / minutes, failure_rate: ended ? finished.failure / ended : 0,
    agents: { online: count('online'), offline: count('offline'), never_connected: count('never_connected') }, workers: { online: workers().filter((w) => w.state === 'online').length, offline: workers().filter((w) => w.state === 'offline').length },
    incomplete: !FRESH, lost_events: FRESH ? 0 : 1_224,
  }
}
function trends(minutes, size) {
  const ms = size * 60_000
  const end = Math.floor(Date.now() / ms) * ms + ms
  return { bucket_minutes: size, buckets: Array.from({ length: Math.ceil(minutes / size) }, (_, i, list = Math.ceil(minutes / size)) => {
    const at = end - (list - i) * ms
    return { at: iso(at), ...outcomes(at, at + ms), complete: at + ms <= Date.now() }
  }) }
}
function workers() {
  const seen = new Map()
  for (const t of state.tasks.values()) {
    if (!t.worker_name) continue
    const w = seen.get(t.worker_name) ?? {
      id: createHash('sha256').update(t.worker_name).digest('hex').slice(0, 32), engine: 'celery', name: t.worker_name, state: t.worker_name.includes('media') ? 'offline' : 'online', last_seen_at: t.updated_at,
      pid: 4711, concurrency: 8, active: 0, queues: [], agent_id: t.agent_id, succeeded: 0, failed: 0, retried: 0,
    }
    if (t.updated_at > w.last_seen_at) w.last_seen_at = t.updated_at
    if (!w.queues.includes(t.queue)) w.queues.push(t.queue)
    if (t.state === 'started') w.active += 1
    if (t.state === 'success') w.succeeded += 1
    if (t.state === 'failure') w.failed += 1
    w.retried += t.retry_count
    seen.set(t.worker_name, w)
  }
  return [...seen.values()]
}
function queues() {
  const seen = new Map()
  for (const t of state.tasks.values()) {
    const q = seen.get(t.queue) ?? { id: t.queue, engine: 'celery', name: t.queue, depth: t.queue === 'mail' ? 12_840 : null, depth_at: t.queue === 'mail' ? now() : null, last_seen_at: t.updated_at, waiting: 0, running: 0, failed_1h: 0 }
    if (t.updated_at > q.last_seen_at) q.last_seen_at = t.updated_at
    if (['pending', 'received'].includes(t.state)) q.waiting += 1
    if (t.state === 'started') q.running += 1
    if (t.state === 'failure' && Date.parse(t.updated_at) > Date.now() - 3_600_000) q.failed_1h += 1
    seen.set(t.queue, q)
  }
  return [...seen.values()]
}
function facets() {
  const count = (field) => {
    const found = new Map()
    for (const t of state.tasks.values()) if (t[field]) found.set(t[field], (found.get(t[field]) ?? 0) + 1)
    return [...found].map(([value, n]) => ({ value, count: n })).sort((a, b) => b.count - a.count)
  }
  return { names: count('name'), queues: count('queue'), workers: count('worker_name'), engines: count('engine'), states: count('state') }
}
function command(action, body) {
  const task = state.tasks.get(`${body.engine}:${body.task_id}`)
  if (!task) throw new Refusal(404, 'task_not_found', 'There is no such task in this project.')
  const agent = state.agents.find((a) => a.state === 'online')
  if (!agent) throw new Refusal(409, 'no_agent', 'No agent of this project is online. Start a worker, then try again.')
  if (action === 'cancel-task' && ['success', 'failure', 'revoked'].includes(task.state)) throw new Refusal(409, 'task_finished', `The task has already ended as ${task.state}.`)
  const made = {
    id: randomUUID(), project_id: state.project.id, agent_id: agent.id, issued_by: state.user.id, issued_by_name: state.user.display_name ?? state.user.email, action: action.replace('-', '_'), target_type: 'task', target_id: keyOf(task),
    payload: body, status: 'pending', result: null, error: null, issued_at: now(), dispatched_at: null, acknowledged_at: null, completed_at: null, timeout_at: iso(Date.now() + 60_000),
  }
  state.commands.unshift(made)
  audit(`command.${made.action}`, 'task', made.target_id)
  const step = (ms, set) => setTimeout(() => {
    Object.assign(made, typeof set === 'function' ? set() : set)
    send('command', made)
  }, ms)
  step(60, () => ({ status: 'dispatched', dispatched_at: now() }))
  step(200, () => ({ status: 'acknowledged', acknowledged_at: now() }))
  step(650, () => {
    if (action === 'cancel-task') {
      changed(Object.assign(task, { state: 'revoked', finished_at: now() }))
      return { status: 'completed', completed_at: now(), result: { revoked: true } }
    }
    const again = run(NAMES.find(([name]) => name === task.name) ?? NAMES[0], { retry_of: task.task_id, name: task.name }, agent)
    task.retried_as = again.task_id
    changed(task)
    return { status: 'completed', completed_at: now(), result: { new_task_id: again.task_id } }
  })
  return made
}
function mint(body) {
  if (state.agents.some((a) => a.name === body.name)) throw new Refusal(409, 'name_taken', 'An agent of this name exists in this project.')
  const agent = newAgent(body.name)
  state.agents.unshift(agent)
  audit('agent.mint', 'agent', agent.id)
  send('agent', agent)
  if (FRESH) {
    setTimeout(() => {
      Object.assign(agent, { last_refusal: { at: now(), code: 'bad_signature', message: 'heartbeat frame 1: MAC does not match', skew_seconds: null } })
      send('agent', agent)
    }, 1_200)
    setTimeout(() => {
      connect(agent)
      send('agent', agent)
    }, 3_000)
  }
  return { agent, token: `z4j_agent_${randomBytes(24).toString('base64url')}`, hmac_secret: randomBytes(32).toString('base64url') }
}

function route(method, path, query, body, cookie) {
  const signedIn = state.signedIn === null || state.signedIn.has(cookie)
  if (path === '/setup/status') return [200, { needed: state.user === null }]
  if (path === '/setup/complete') {
    if (body.token !== TOKEN) throw new Refusal(403, 'setup_token_invalid', 'This set-up link is not valid.')
    if (body.password === 'password1234') throw new Refusal(422, 'weak_password', 'The password is too easy to guess.', { reason: 'It is on a list of common passwords.' })
    addUser(body.email, body.display_name)
    state.password = body.password
    return [201, { user: state.user }, true]
  }
  if (path === '/auth/login') {
    if (body.password !== (state.password ?? body.password) || body.email !== state.user?.email) throw new Refusal(401, 'bad_credentials', 'E-mail or password is wrong.')
    audit('auth.login', 'user', state.user.id)
    return [200, { user: state.user }, true]
  }
  if (path === '/auth/logout') {
    state.signedIn ??= new Set()
    state.signedIn.delete(cookie)
    return [204]
  }
  if (!signedIn || state.user === null) throw new Refusal(401, 'signed_out', 'Sign in first.')
  if (path === '/auth/me') return [200, { user: state.user, memberships: [{ project: state.project, role: 'admin', actions: ACTIONS }], server: { version: '0.1.0', now: now() } }]
  const match = /^\/projects\/([^/]+)(\/.*)?$/.exec(path)
  if (!match || match[1] !== 'default') throw new Refusal(404, 'not_found', 'There is nothing at this address.')
  return project(method, match[2] ?? '', query, body)
}
function project(method, path, query, body) {
  const [, area, a, b, c] = path.split('/').map(decodeURIComponent)
  if (area === 'agents' && method === 'POST' && b === 'rotate') return [200, { agent: state.agents.find((x) => x.id === a), token: 'z4j_agent_rotated', hmac_secret: 'rotated-secret' }]
  if (area === 'agents' && method === 'POST') return [201, mint(body)]
  if (area === 'agents' && method === 'DELETE') {
    const agent = state.agents.find((x) => x.id === a)
    Object.assign(agent, { state: 'revoked', revoked_at: now(), connections: [] })
    send('agent', agent)
    return [204]
  }
  if (area === 'agents') return [200, page(state.agents, query)]
  if (area === 'tasks' && a === 'facets') return [200, facets()]
  if (area === 'tasks' && a) {
    const task = state.tasks.get(`${a}:${b}`)
    if (!task) throw new Refusal(404, 'task_not_found', 'There is no such task in this project.')
    if (c === 'events') return [200, { items: eventsOf(task), next_cursor: null }]
    if (c === 'tree') {
      const root = task.root_task_id
      const nodes = root ? [...state.tasks.values()].filter((t) => t.root_task_id === root) : [task]
      return [200, { root, truncated: false, nodes: nodes.map(({ engine, task_id, name, state: s, parent_task_id, started_at, finished_at, runtime_ms }) => ({ engine, task_id, name, state: s, parent_task_id, started_at, finished_at, runtime_ms })) }]
    }
    return [200, task]
  }
  if (area === 'tasks') {
    const found = page(find(query), query)
    return [200, { ...found, items: found.items.map(rowOf) }]
  }
  if (area === 'workers' && a) {
    const worker = workers().find((w) => w.id === a)
    if (!worker) throw new Refusal(404, 'not_found', 'There is no such worker.')
    return [200, { ...worker, details: { pool: 'prefork', prefetch_count: 4, broker: 'redis', acks_late: false, max_tasks_per_child: null } }]
  }
  if (area === 'workers') return [200, page(workers(), query)]
  if (area === 'queues') return [200, page(queues(), query)]
  if (area === 'stats') return [200, stats(Number(query.get('window_minutes') ?? 60))]
  if (area === 'trends') return [200, trends(Number(query.get('window_minutes') ?? 60), Number(query.get('bucket_minutes') ?? 1))]
  if (area === 'commands' && method === 'POST') return [202, command(a, body)]
  if (area === 'commands' && a) return [200, state.commands.find((x) => x.id === a) ?? (() => { throw new Refusal(404, 'not_found', 'There is no such command.') })()]
  if (area === 'commands') {
    const by = (key) => (x) => !query.get(key) || x[key] === query.get(key)
    return [200, page(state.commands.filter(by('status')).filter(by('target_id')), query)]
  }
  if (area === 'audit') return [200, { ...page(state.audit, query), chain: { length: state.audit.length, verified: true } }]
  throw new Refusal(404, 'not_found', 'There is nothing at this address.')
}

// ---- serving ----------------------------------------------------------------------------------
const TYPES = { '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.woff2': 'font/woff2' }
function serveFile(path, response) {
  const file = join(client, normalize(path))
  if (path !== '/' && path !== '/index.html' && existsSync(file) && extname(file)) {
    response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream' })
    return response.end(readFileSync(file))
  }
  if (path.startsWith('/assets/')) return response.writeHead(404).end()
  const nonce = randomBytes(16).toString('base64')
  const shell = readFileSync(join(client, 'index.html'), 'utf8')
  const hashes = [...shell.matchAll(/<script(?![^>]*\ssrc=)[^>]*>([\s\S]+?)<\/script>/g)].map((m) => `'sha256-${createHash('sha256').update(m[1]).digest('base64')}'`)
  response.writeHead(200, {
    'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-cache',
    'content-security-policy': `default-src 'none'; script-src 'self' ${hashes.join(' ')}; style-src 'self' 'nonce-${nonce}'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'`,
  })
  response.end(shell.replace('<head>', `<head><meta name="csp-nonce" content="${nonce}">`))
}
const server = createServer(async (request, response) => {
  const url = new URL(request.url, `http://${request.headers.host}`)
  if (!url.pathname.startsWith('/api/')) return serveFile(url.pathname, response)
  const path = url.pathname.replace('/api/v1', '')
  const cookie = /z4j_session=(\w+)/.exec(request.headers.cookie ?? '')?.[1]
  if (path.endsWith('/stream')) {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
    streams.add(response)
    request.on('close', () => streams.delete(response))
    return send('ready', { at: now() }, response)
  }
  const chunks = []
  for await (const chunk of request) chunks.push(chunk)
  if (SLOW_MS) await new Promise((done) => setTimeout(done, SLOW_MS))
  const json = (status, value, headers = {}) => response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(value === undefined ? '' : JSON.stringify(value))
  try {
    const [status, value, sign] = route(request.method, path, url.searchParams, chunks.length ? JSON.parse(Buffer.concat(chunks).toString()) : {}, cookie)
    const session = randomBytes(16).toString('hex')
    if (sign) state.signedIn?.add(session)
    json(status, value, sign ? { 'set-cookie': `z4j_session=${session}; HttpOnly; SameSite=Lax; Path=/` } : {})
  } catch (error) {
    if (!(error instanceof Refusal)) console.error(error)
    json(error.status ?? 500, { error: error.code ?? 'internal', message: error.status ? error.message : 'The brain failed.', request_id: randomUUID(), details: error.details ?? {} })
  }
})
server.listen(PORT, '127.0.0.1', () => {
  const { port } = server.address()
  console.log(`http://127.0.0.1:${port}/${FRESH ? `setup?token=${TOKEN}` : ''}`)
})
