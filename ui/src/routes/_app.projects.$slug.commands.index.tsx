import { createFileRoute } from '@tanstack/react-router'
import { CommandsPage } from '~/pages/commands'

export const Route = createFileRoute('/_app/projects/$slug/commands/')({ component: CommandsPage })
