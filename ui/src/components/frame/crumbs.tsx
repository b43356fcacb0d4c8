import { Link, useLocation } from '@tanstack/react-router'
import { ChevronRight } from 'lucide-react'
import { useEffect } from 'react'
import { shortId } from '~/lib/format'
import { useProject } from '~/lib/project'
import { s } from '~/strings'

const SECTIONS: Record<string, string> = {
  tasks: s.nav.tasks,
  workers: s.nav.workers,
  queues: s.nav.queues,
  agents: s.nav.agents,
  commands: s.nav.commands,
  audit: s.nav.audit,
  connect: s.connect.title,
}

export function Crumbs({ slug }: { slug: string }) {
  const { name } = useProject()
  const parts = useLocation({ select: (l) => l.pathname }).split('/').filter(Boolean).slice(2)
  const section = parts[0]
  const leaf = parts.length > 1 ? decodeURIComponent(parts.at(-1) ?? '') : null
  // A worker is known by its name; everything else by an id that nobody reads.
  const short = leaf === null || section === 'workers' ? leaf : shortId(leaf)
  const page = section === undefined ? s.nav.overview : (SECTIONS[section] ?? section)
  useEffect(() => {
    document.title = [short, page, name, 'z4j'].filter(Boolean).join(' · ')
  }, [short, page, name])
  return (
    <nav aria-label={s.frame.crumbs} className="min-w-0">
      <ol className="flex min-w-0 items-center gap-1 text-sm text-muted">
        <li className="hidden truncate sm:block">
          <Link to="/projects/$slug" params={{ slug }} className="rounded px-1 py-1 hover:text-ink">
            {name}
          </Link>
        </li>
        {section !== undefined && (
          <li className="flex min-w-0 items-center gap-1">
            <ChevronRight className="hidden size-3.5 shrink-0 sm:block" aria-hidden />
            {leaf === null ? (
              <span className="truncate px-1 text-ink" aria-current="page">{SECTIONS[section] ?? section}</span>
            ) : (
              <Link to={`/projects/$slug/${section}` as '/projects/$slug/tasks'} params={{ slug }} className="rounded px-1 py-1 hover:text-ink">
                {SECTIONS[section] ?? section}
              </Link>
            )}
          </li>
        )}
        {section === undefined && (
          <li className="flex items-center gap-1">
            <ChevronRight className="hidden size-3.5 sm:block" aria-hidden />
            <span className="px-1 text-ink" aria-current="page">{s.nav.overview}</span>
          </li>
        )}
        {short !== null && (
          <li className="hidden min-w-0 items-center gap-1 sm:flex">
            <ChevronRight className="size-3.5 shrink-0" aria-hidden />
            <code className="truncate text-ink" aria-current="page">{short}</code>
          </li>
        )}
      </ol>
    </nav>
  )
}
