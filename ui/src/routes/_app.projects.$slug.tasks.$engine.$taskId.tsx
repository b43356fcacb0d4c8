import { createFileRoute } from '@tanstack/react-router'
import { TaskPage } from '~/pages/task'

export const Route = createFileRoute('/_app/projects/$slug/tasks/$engine/$taskId')({ component: TaskPage })
