import { type Sort, SORTS } from '~/lib/live-rows'
import { type TaskFilter, TASK_STATES } from '~/lib/query'
import type { RangeSearch } from '~/lib/range'

export interface TasksSearch extends TaskFilter, RangeSearch { sort?: Sort }

/** What the URL of the list may say; anything else in it is ignored. */
export function readTasksSearch(search: Record<string, unknown>): TasksSearch {
  const found: TasksSearch = {}
  const states = [search['state']].flat().filter((one) => (TASK_STATES as readonly unknown[]).includes(one)) as string[]
  if (states.length > 0) found.state = [...new Set(states)]
  for (const key of ['name', 'queue', 'worker', 'engine', 'search'] as const) {
    const value = search[key]
    if (typeof value === 'string' && value !== '') found[key] = value
  }
  if ((SORTS as readonly unknown[]).includes(search['sort'])) found.sort = search['sort'] as Sort
  return found
}
