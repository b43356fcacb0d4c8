import { createFileRoute } from '@tanstack/react-router'
import { ConnectPage } from '~/pages/connect'

export const Route = createFileRoute('/_app/projects/$slug/connect/')({ component: ConnectPage })
