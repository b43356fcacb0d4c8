import { createFileRoute } from '@tanstack/react-router'
import type { CommandStatus } from '~/api/types'
import { CommandsPage, STATUSES } from '~/pages/commands'

export const Route = createFileRoute('/_app/projects/$slug/commands/')({
  validateSearch: (search: Record<string, unknown>): { status?: CommandStatus } => {
    const status = STATUSES.find((one) => one === search['status'])
    return status ? { status } : {}
  },
  component: CommandsPage,
})
