import { useNavigate } from '@tanstack/react-router'
import { Command } from 'cmdk'
import { CircleHelp, Plug, Search } from 'lucide-react'
import { Dialog as Primitive } from 'radix-ui'
import { useState } from 'react'
import { useProject } from '~/lib/project'
import { s } from '~/strings'
import { NAV } from './nav'

const ITEM =
  'flex h-9 cursor-default items-center gap-2.5 rounded px-2.5 text-sm data-[selected=true]:bg-accent-soft data-[selected=true]:text-ink'

/** Goes anywhere and finds a task by its name or id. */
export function Palette({
  slug, open, onOpenChange, onHelp,
}: { slug: string; open: boolean; onOpenChange: (open: boolean) => void; onHelp: () => void }) {
  const navigate = useNavigate()
  const { can, me } = useProject()
  const [text, setText] = useState('')
  const close = (then: () => void) => {
    onOpenChange(false)
    setText('')
    then()
  }
  return (
    <Primitive.Root open={open} onOpenChange={onOpenChange}>
      <Primitive.Portal>
        <Primitive.Overlay className="fixed inset-0 z-40 bg-black/40" />
        <Primitive.Content
          aria-describedby={undefined}
          className="fixed top-[12vh] left-1/2 z-50 w-[calc(100vw-32px)] max-w-[560px] -translate-x-1/2 overflow-hidden rounded-md border border-line bg-surface shadow-float"
        >
          <Primitive.Title className="sr-only">{s.palette.label}</Primitive.Title>
          <Command label={s.palette.label} loop>
      <div className="flex items-center gap-2 border-b border-line px-3">
        <Search className="size-4 text-muted" aria-hidden />
        <Command.Input
          value={text}
          onValueChange={setText}
          placeholder={s.palette.placeholder}
          className="h-11 flex-1 bg-transparent text-base outline-none"
        />
      </div>
      <Command.List className="max-h-[50vh] overflow-y-auto p-1.5 [&_[cmdk-group-heading]]:px-2.5 [&_[cmdk-group-heading]]:py-1.5 [&_[cmdk-group-heading]]:text-xs [&_[cmdk-group-heading]]:text-muted">
        <Command.Empty className="px-3 py-6 text-center text-sm text-muted">{s.palette.empty}</Command.Empty>
        {text.trim() !== '' && can('task.read') && (
          <Command.Group heading={s.nav.tasks}>
            <Command.Item
              forceMount
              value={`search ${text}`}
              className={ITEM}
              onSelect={() =>
                close(() => void navigate({ to: '/projects/$slug/tasks', params: { slug }, search: { search: text.trim() } }))
              }
            >
              <Search className="size-4 text-muted" aria-hidden />
              <span className="truncate">{s.palette.search(text.trim())}</span>
            </Command.Item>
          </Command.Group>
        )}
        <Command.Group heading={s.palette.goTo}>
          {NAV.flatMap((group) => [...group.items]).filter((item) => can(item.action)).map((item) => (
            <Command.Item
              key={item.to}
              value={item.name}
              className={ITEM}
              onSelect={() => close(() => void navigate({ to: item.to, params: { slug } }))}
            >
              <item.icon className="size-4 text-muted" aria-hidden />
              {item.name}
            </Command.Item>
          ))}
          {can('task.read') && (
            <Command.Item
              value={s.palette.failures}
              className={ITEM}
              onSelect={() =>
                close(() => void navigate({ to: '/projects/$slug/tasks', params: { slug }, search: { state: ['failure'] } }))
              }
            >
              <span className="flex size-4 items-center justify-center text-st-failure" aria-hidden>✕</span>
              {s.palette.failures}
            </Command.Item>
          )}
          {can('agent.mint') && (
            <Command.Item
              value={s.connect.title}
              className={ITEM}
              onSelect={() => close(() => void navigate({ to: '/projects/$slug/connect', params: { slug } }))}
            >
              <Plug className="size-4 text-muted" aria-hidden />
              {s.connect.title}
            </Command.Item>
          )}
          <Command.Item value={s.help.title} className={ITEM} onSelect={() => close(onHelp)}>
            <CircleHelp className="size-4 text-muted" aria-hidden />
            {s.help.title}
          </Command.Item>
        </Command.Group>
        {(me?.memberships.length ?? 0) > 1 && (
          <Command.Group heading={s.frame.projects}>
            {me?.memberships.map((m) => (
              <Command.Item
                key={m.project.id}
                value={`project ${m.project.name}`}
                className={ITEM}
                onSelect={() => close(() => void navigate({ to: '/projects/$slug', params: { slug: m.project.slug } }))}
              >
                {m.project.name}
              </Command.Item>
            ))}
          </Command.Group>
        )}
      </Command.List>
          </Command>
        </Primitive.Content>
      </Primitive.Portal>
    </Primitive.Root>
  )
}
