// @vitest-environment jsdom
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { cleanup, fireEvent, render, screen } from '@testing-library/react'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { TaskRow } from '~/api/types'
import { ActDialog } from '~/components/act/act-dialog'
import { refusalText } from '~/pages/agents/refusal'
import { JsonTree } from '~/pages/task/json-tree'
import { readTasksSearch } from '~/pages/tasks/search'

const task = (id: string, state: string) => ({ engine: 'celery', task_id: id, name: `job.${id}`, state }) as TaskRow
afterEach(() => {
  cleanup()
  vi.unstubAllGlobals()
})
const show = (action: 'retry' | 'cancel', tasks: TaskRow[]) =>
  render(
    <QueryClientProvider client={new QueryClient()}>
      <ActDialog slug="default" request={{ action, tasks }} onClose={() => undefined} />
    </QueryClientProvider>,
  )

describe('the dialog before an action', () => {
  it('says which tasks cannot be cancelled and why', () => {
    show('cancel', [task('a', 'started'), task('b', 'success')])
    expect(screen.getByText('already ended as success')).toBeTruthy()
    expect(screen.getByRole('button', { name: 'Cancel task' })).toBeTruthy()
  })
  it('offers nothing when none can be cancelled', () => {
    show('cancel', [task('b', 'failure')])
    expect(screen.getByText(/all have ended/)).toBeTruthy()
    expect((screen.getByRole('button', { name: 'Cancel 0 tasks' }) as HTMLButtonElement).disabled).toBe(true)
  })
  it('shows a refusal in the brain’s own words', async () => {
    const answer = { error: 'no_agent', message: 'No agent of this project is online.', request_id: 'r-1', details: {} }
    vi.stubGlobal('fetch', async () => new Response(JSON.stringify(answer), { status: 409 }))
    show('retry', [task('a', 'failure')])
    fireEvent.click(screen.getByRole('button', { name: 'Retry task' }))
    expect((await screen.findByRole('alert')).textContent).toContain('No agent of this project is online.')
  })
})

describe('values', () => {
  it('what was removed is shown as removed, also inside a text', () => {
    render(<JsonTree value={{ key: '[REDACTED]', url: 'https://x/?token=[REDACTED]&a=1' }} />)
    expect(screen.getAllByText('redacted')).toHaveLength(2)
    expect(screen.queryByText(/\[REDACTED\]/)).toBeNull()
  })
})

describe('refusals', () => {
  it('name the remedy and the skew', () => {
    expect(refusalText({ at: '', code: 'clock_skew', message: '', skew_seconds: -95 })).toMatch(/NTP.*1 m 35 s/)
    expect(refusalText({ at: '', code: 'new_code', message: 'as the brain says', skew_seconds: null })).toBe('as the brain says')
  })
})

describe('the address of the list', () => {
  it('ignores what it does not know', () => {
    expect(readTasksSearch({ state: ['failure', 'nonsense'], queue: 'mail', sort: 'drop table', x: 1 })).toEqual({ state: ['failure'], queue: 'mail' })
  })
})
