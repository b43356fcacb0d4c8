import { Bot, Gauge, Layers, ListChecks, ScrollText, Server, Terminal } from 'lucide-react'
import { s } from '~/strings'

/** Pages of a project in the order of the rail; `action` is what a person needs to see one. */
export const NAV = [
  {
    group: s.nav.observe,
    items: [
      { to: '/projects/$slug', name: s.nav.overview, icon: Gauge, action: 'task.read', exact: true },
      { to: '/projects/$slug/tasks', name: s.nav.tasks, icon: ListChecks, action: 'task.read', exact: false },
    ],
  },
  {
    group: s.nav.fleet,
    items: [
      { to: '/projects/$slug/workers', name: s.nav.workers, icon: Server, action: 'worker.read', exact: false },
      { to: '/projects/$slug/queues', name: s.nav.queues, icon: Layers, action: 'queue.read', exact: false },
      { to: '/projects/$slug/agents', name: s.nav.agents, icon: Bot, action: 'agent.read', exact: false },
    ],
  },
  {
    group: s.nav.act,
    items: [
      { to: '/projects/$slug/commands', name: s.nav.commands, icon: Terminal, action: 'command.read', exact: false },
    ],
  },
  {
    group: s.nav.trust,
    items: [{ to: '/projects/$slug/audit', name: s.nav.audit, icon: ScrollText, action: 'audit.read', exact: false }],
  },
] as const
