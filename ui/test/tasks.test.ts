import { describe, expect, it } from 'vitest'
import type { Task, TaskEvent, TaskRow } from '~/api/types'
import { arrange, hold, keyOf, matches } from '~/lib/live-rows'
import { completionAt, parseQuery } from '~/lib/query'
import { segments } from '~/lib/timeline'
import { foldFrames, parseTraceback } from '~/lib/traceback'
import { failingSince } from '~/pages/overview/verdict'

const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString()

function row(id: string, second: number, fields: Partial<TaskRow> = {}): TaskRow {
  return {
    engine: 'celery', task_id: id, name: 'mail.send', queue: 'mail', state: 'success', priority: null, exception: null,
    exception_message: null, retry_count: 0, eta: null, sent_at: null, received_at: null, started_at: null, finished_at: null,
    runtime_ms: null, wait_ms: null, worker_name: null, agent_id: null, parent_task_id: null, root_task_id: null,
    retried_as: null, retry_of: null, tags: [], created_at: at(0), updated_at: at(second), ...fields,
  }
}
const live = (...rows: TaskRow[]) => new Map(rows.map((one) => [keyOf(one), one]))
const ids = (rows: TaskRow[]) => rows.map((one) => one.task_id)

describe('a list that is live', () => {
  const base = [row('c', 30), row('b', 20), row('a', 10)]

  it('puts new rows where they sort and moves changed ones', () => {
    const rows = arrange(base, live(row('d', 40), row('a', 50)), {}, '-updated_at', false)
    expect(ids(rows)).toEqual(['a', 'd', 'c', 'b'])
  })
  it('puts equal runs, and rows without one, by their latest change', () => {
    const runs = [row('slow', 5, { runtime_ms: 9 }), row('old', 10, { runtime_ms: 2 }), row('none', 20)]
    const news = live(row('new', 40, { runtime_ms: 2 }), row('later', 30), row('older', 1))
    expect(ids(arrange(runs, news, {}, '-runtime_ms', false))).toEqual(['slow', 'new', 'old', 'later', 'none', 'older'])
    expect(ids(arrange(runs, news, {}, '-runtime_ms', true))).toEqual(['slow', 'new', 'old', 'later', 'none'])
  })
  it('drops rows that no longer match and keeps out those that never did', () => {
    const filter = { state: ['started'] }
    const started = base.map((one) => ({ ...one, state: 'started' as const }))
    const rows = arrange(started, live(row('b', 60), row('x', 70)), filter, '-updated_at', false)
    expect(ids(rows)).toEqual(['c', 'a'])
  })
  it('keeps out rows behind the last loaded one while there is more to load', () => {
    expect(ids(arrange(base, live(row('z', 5)), {}, '-updated_at', true))).toEqual(['c', 'b', 'a'])
    expect(ids(arrange(base, live(row('z', 5)), {}, '-updated_at', false))).toEqual(['c', 'b', 'a', 'z'])
  })
  it('an older version from the stream does not replace a newer loaded one', () => {
    expect(arrange(base, live(row('c', 1, { state: 'started' })), {}, '-updated_at', false)[0]?.state).toBe('success')
  })
  it('a link that comes later without a new state is shown', () => {
    expect(arrange(base, live(row('c', 30, { retried_as: 'n' })), {}, '-updated_at', false)[0]?.retried_as).toBe('n')
  })
  it('stands still while held: rows change in place, new ones are counted', () => {
    const news = live(row('d', 40), row('b', 50, { state: 'failure' }))
    const arranged = arrange(base, news, {}, '-updated_at', false)
    const { rows, fresh } = hold(base.map(keyOf), arranged, base, news)
    expect(ids(rows)).toEqual(['c', 'b', 'a'])
    expect(rows[1]?.state).toBe('failure')
    expect(fresh).toBe(1)
  })
  it('pages loaded while held go to the end', () => {
    const more = [...base, row('older', 3)]
    expect(ids(hold(base.map(keyOf), more, more, new Map()).rows)).toEqual(['c', 'b', 'a', 'older'])
  })
  it('a range keeps out what happened before or after it', () => {
    expect(matches(row('a', 10), { since: at(11) })).toBe(false)
    expect(matches(row('a', 10), { until: at(9) })).toBe(false)
    expect(matches(row('a', 10), { since: at(10), until: at(10) })).toBe(true)
  })
})

describe('the search', () => {
  it('splits filters from text', () => {
    expect(parseQuery('state:failure,retry 4711 queue:"high prio" state:lost').filter).toEqual({
      state: ['failure', 'retry', 'lost'], queue: 'high prio', search: '4711',
    })
  })
  it('says what is wrong where it is wrong', () => {
    const { problems } = parseQuery('ok colour:red')
    expect(problems).toMatchObject([{ from: 3, to: 13 }])
    expect(parseQuery('state:broken').problems).toHaveLength(1)
    expect(parseQuery('queue:').problems).toHaveLength(1)
  })
  it('looks for addresses and times instead of taking them for filters', () => {
    expect(parseQuery('https://example.net 12:04').filter).toEqual({ search: 'https://example.net 12:04' })
  })
  it('knows what is being typed', () => {
    expect(completionAt('x sta', 5)).toEqual({ key: null, typed: 'sta', from: 2 })
    expect(completionAt('state:fa', 8)).toEqual({ key: 'state', typed: 'fa', from: 6 })
    expect(completionAt('colour:r', 8)).toBeNull()
  })
})

const TRACE = `Traceback (most recent call last):
  File "/usr/lib/python3.12/site-packages/celery/app/trace.py", line 453, in trace_task
    R = retval = fun(*args, **kwargs)
                 ^^^^^^^^^^^^^^^^^^^^
  File "/app/tasks.py", line 12, in charge
    post(url)
KeyError: 'a'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/app/tasks.py", line 14, in charge
    raise Declined(1)
  File "/usr/lib/python3.12/site-packages/x.py", line 1, in y
  File "/usr/lib/python3.12/site-packages/x.py", line 2, in z
    return 1
app.Declined: over
two lines`

describe('a traceback', () => {
  it('is read block by block, the last raised first', () => {
    const blocks = parseTraceback(TRACE)
    expect(blocks?.map((block) => block.error)).toEqual(['app.Declined: over\ntwo lines', "KeyError: 'a'"])
    expect(blocks?.[1]?.frames.map((f) => [f.func, f.line, f.code, f.library])).toEqual([
      ['trace_task', 453, 'R = retval = fun(*args, **kwargs)', true],
      ['charge', 12, 'post(url)', false],
    ])
  })
  it('folds neighbouring library frames, deepest first', () => {
    const groups = foldFrames(parseTraceback(TRACE)?.[0]?.frames ?? [])
    expect(groups.map((group) => [group.library, group.frames.map((f) => f.line)])).toEqual([[true, [2, 1]], [false, [14]]])
  })
  it('of Rust is read too, the application apart from the libraries', () => {
    const text = `Declined: no funds
   0: new<&str>
             at /app/src/job.rs:104:22
   1: poll<T>::h0123456789abcdef
             at /rustc/5980/library/core/src/future/future.rs:133:9
   2: tokio::runtime::poll
             at /home/me/.cargo/registry/src/index/tokio-1.54.1/src/core.rs:380:24
   3: __rust_try`
    const groups = foldFrames(parseTraceback(text)?.[0]?.frames ?? [])
    expect(groups.map((group) => [group.library, group.frames.map((f) => f.func)])).toEqual([
      [false, ['new<&str>']], [true, ['poll<T>', 'tokio::runtime::poll', '__rust_try']],
    ])
  })
  it('what is none stays text', () => {
    expect(parseTraceback('thread panicked at src/main.rs:4')).toBeNull()
  })
})

describe('the timeline of a task', () => {
  const task = (fields: Partial<Task>): Task => ({ ...row('a', 9), args: null, kwargs: null, result: null, traceback: null, ...fields })
  const event = (kind: string, second: number): TaskEvent => ({ id: `${kind}${second}`, kind, occurred_at: at(second), received_at: at(second), agent_id: null, worker: null, data: null })
  const shape = (t: Task, events: TaskEvent[], now = at(100)) =>
    segments(t, events, Date.parse(now)).map((part) => [part.phase, (part.toMs - part.fromMs) / 1_000, part.open])

  it('tells waiting, running and waiting for a retry apart', () => {
    const events = [event('task.received', 0), event('task.started', 2), event('task.retried', 3), event('task.started', 8), event('task.succeeded', 9)]
    expect(shape(task({ received_at: at(0), started_at: at(8), finished_at: at(9) }), events)).toEqual([
      ['waited', 2, false], ['ran', 1, false], ['retry_wait', 5, false], ['ran', 1, false],
    ])
  })
  it('falls back on the times of the task itself', () => {
    expect(shape(task({ received_at: at(0), started_at: at(4), finished_at: at(9), state: 'failure' }), [])).toEqual([
      ['waited', 4, false], ['ran', 5, false],
    ])
  })
  it('what has not ended grows up to now', () => {
    expect(shape(task({ received_at: at(0), state: 'received' }), [event('task.received', 0)], at(7))).toEqual([['waited', 7, true]])
  })
  it('a task without times has none', () => {
    expect(shape(task({}), [])).toEqual([])
  })
})

describe('failing since', () => {
  const bucket = (second: number, failure: number, complete = true) => ({ at: at(second), success: 1, failure, revoked: 0, rejected: 0, retry: 0, complete })
  it('is the start of the run of failures that reaches up to now', () => {
    expect(failingSince([bucket(0, 2), bucket(1, 0), bucket(2, 0), bucket(3, 1), bucket(4, 3), bucket(5, 0, false)])).toBe(at(3))
  })
  it('one quiet bucket does not end the run, two do', () => {
    expect(failingSince([bucket(0, 2), bucket(1, 0), bucket(2, 4)])).toBe(at(0))
    expect(failingSince([bucket(0, 2), bucket(1, 0), bucket(2, 0)])).toBeNull()
  })
})
