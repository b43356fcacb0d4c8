import { createFileRoute } from '@tanstack/react-router'
import { WorkersPage } from '~/pages/workers'

export const Route = createFileRoute('/_app/projects/$slug/workers/')({ component: WorkersPage })
