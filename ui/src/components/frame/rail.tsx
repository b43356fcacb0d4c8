import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { ChevronsUpDown, PanelLeftClose, PanelLeftOpen } from 'lucide-react'
import { agentsQuery } from '~/api/queries'
import { cn } from '~/lib/cn'
import { useProject } from '~/lib/project'
import { s } from '~/strings'
import { Menu, MenuCheck, MenuContent, MenuLabel, MenuTrigger } from '../ui/menu'
import { IconButton } from '../ui/button'
import { NAV } from './nav'

export function Rail({ narrow, onToggle }: { narrow: boolean; onToggle?: () => void }) {
  return (
    <div className="flex h-full flex-col gap-1 p-2">
      <ProjectSwitch narrow={narrow} />
      <NavList narrow={narrow} />
      {onToggle && (
        <IconButton label={narrow ? s.frame.expand : s.frame.collapse} onClick={onToggle} className="mt-auto">
          {narrow ? <PanelLeftOpen className="size-4" aria-hidden /> : <PanelLeftClose className="size-4" aria-hidden />}
        </IconButton>
      )}
    </div>
  )
}

function ProjectSwitch({ narrow }: { narrow: boolean }) {
  const { slug, name, role, me } = useProject()
  const navigate = useNavigate()
  return (
    <Menu>
      <MenuTrigger
        className="flex h-11 w-full items-center gap-2.5 rounded-md px-1.5 text-left hover:bg-hover"
        aria-label={narrow ? `${s.frame.project}: ${name}` : undefined}
      >
        <span
          aria-hidden
          className="flex size-7 shrink-0 items-center justify-center rounded-md bg-accent text-sm font-semibold text-accent-ink uppercase"
        >
          {name.slice(0, 1)}
        </span>
        {!narrow && (
          <>
            <span className="min-w-0 flex-1 leading-tight">
              <span className="block truncate text-sm font-semibold">{name}</span>
              <span className="block text-xs text-muted">{role}</span>
            </span>
            <ChevronsUpDown className="size-3.5 text-muted" aria-hidden />
          </>
        )}
      </MenuTrigger>
      <MenuContent className="w-56">
        <MenuLabel>{s.frame.projects}</MenuLabel>
        {(me?.memberships ?? []).map((m) => (
          <MenuCheck
            key={m.project.id}
            checked={m.project.slug === slug}
            onToggle={() => void navigate({ to: '/projects/$slug', params: { slug: m.project.slug } })}
          >
            <span className="flex-1 truncate">{m.project.name}</span>
            <span className="text-xs text-muted">{m.role}</span>
          </MenuCheck>
        ))}
      </MenuContent>
    </Menu>
  )
}

function NavList({ narrow }: { narrow: boolean }) {
  const { slug, can } = useProject()
  const refused = useRefusedAgents(slug, can('agent.read'))
  return (
    <nav aria-label={s.frame.pages} className="mt-1 flex flex-col">
      {NAV.map(({ group, items }) => {
        const visible = items.filter((item) => can(item.action))
        if (visible.length === 0) return null
        return (
          <div key={group} className="mb-2">
            <p className={cn('px-2 pt-2 pb-1 text-xs text-muted', narrow && 'sr-only')}>{group}</p>
            <ul className="flex flex-col gap-px">
              {visible.map((item) => (
                <li key={item.to}>
                  <Link
                    to={item.to}
                    params={{ slug }}
                    search={({ range, from, to }) => ({ ...(range && { range }), ...(from && { from }), ...(to && { to }) })}
                    activeOptions={{ exact: item.exact, includeSearch: false }}
                    title={narrow ? item.name : undefined}
                    className="flex h-8 items-center gap-2.5 rounded-md px-2.5 text-sm text-muted hover:bg-hover hover:text-ink data-[status=active]:bg-accent-soft data-[status=active]:font-medium data-[status=active]:text-ink"
                  >
                    <item.icon className="size-4 shrink-0" strokeWidth={1.75} aria-hidden />
                    <span className={narrow ? 'sr-only' : 'flex-1'}>{item.name}</span>
                    {item.to.endsWith('/agents') && refused > 0 && !narrow && (
                      <span
                        className="num rounded bg-danger px-1.5 text-xs font-semibold text-accent-ink"
                        title={s.frame.refusedAgents(refused)}
                      >
                        {refused}
                      </span>
                    )}
                  </Link>
                </li>
              ))}
            </ul>
          </div>
        )
      })}
    </nav>
  )
}

/** Agents that knock and are turned away: the one thing in the rail that needs a person. */
function useRefusedAgents(slug: string, allowed: boolean): number {
  const { data } = useQuery({ ...agentsQuery(slug), enabled: allowed })
  return (data?.items ?? []).filter((agent) => {
    if (agent.last_refusal === null || agent.state === 'online' || agent.state === 'revoked') return false
    return agent.last_connected_at === null || agent.last_refusal.at > agent.last_connected_at
  }).length
}
