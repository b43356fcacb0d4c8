import { createFileRoute } from '@tanstack/react-router'
import { TasksPage } from '~/pages/tasks'

export const Route = createFileRoute('/_app/projects/$slug/tasks/')({ component: TasksPage })
