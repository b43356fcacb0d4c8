import { createFileRoute } from '@tanstack/react-router'
import { WorkerPage } from '~/pages/workers/detail'

export const Route = createFileRoute('/_app/projects/$slug/workers/$id')({ component: WorkerPage })
