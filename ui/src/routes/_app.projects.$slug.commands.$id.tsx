import { createFileRoute } from '@tanstack/react-router'
import { CommandPage } from '~/pages/commands/detail'

export const Route = createFileRoute('/_app/projects/$slug/commands/$id')({ component: CommandPage })
