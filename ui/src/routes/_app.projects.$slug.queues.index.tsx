import { createFileRoute } from '@tanstack/react-router'
import { QueuesPage } from '~/pages/queues'

export const Route = createFileRoute('/_app/projects/$slug/queues/')({ component: QueuesPage })
