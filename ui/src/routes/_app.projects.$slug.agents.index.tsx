import { createFileRoute } from '@tanstack/react-router'
import { AgentsPage } from '~/pages/agents'

export const Route = createFileRoute('/_app/projects/$slug/agents/')({ component: AgentsPage })
