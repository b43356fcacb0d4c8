import { createFileRoute } from '@tanstack/react-router'
import { TasksPage } from '~/pages/tasks'
import { readTasksSearch } from '~/pages/tasks/search'

export const Route = createFileRoute('/_app/projects/$slug/tasks/')({
  validateSearch: readTasksSearch,
  component: TasksPage,
})
