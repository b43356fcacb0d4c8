import { Tabs } from 'radix-ui'
import { brainUrl } from '~/lib/base'
import { s } from '~/strings'
import { Snippet } from './snippet'
import { type Credentials, envLines, STACKS } from './stacks'

const PLACEHOLDER = '…'

/** What to install, add and start, for the stack that runs the tasks. */
export function StackCode({ slug, credentials }: { slug: string; credentials: Credentials | null }) {
  const shown = credentials ?? { url: brainUrl(), token: PLACEHOLDER, project: slug, secret: PLACEHOLDER }
  return (
    <Tabs.Root defaultValue="celery">
      <Tabs.List aria-label={s.connect.stack} className="flex flex-wrap gap-x-1 border-b border-line">
        {STACKS.map((stack) => (
          <Tabs.Trigger
            key={stack.key}
            value={stack.key}
            className="-mb-px h-9 border-b-2 border-transparent px-2.5 text-sm text-muted hover:text-ink data-[state=active]:border-accent data-[state=active]:font-medium data-[state=active]:text-ink"
          >
            {stack.name}
          </Tabs.Trigger>
        ))}
      </Tabs.List>
      {STACKS.map((stack) => (
        <Tabs.Content key={stack.key} value={stack.key} className="space-y-3 pt-3">
          <Part name={s.connect.install}><Snippet text={stack.install} label={s.connect.install} /></Part>
          {stack.code && (
            <Part name={`${s.connect.code}: ${stack.code.file}`}><Snippet text={stack.code.text} label={s.connect.code} /></Part>
          )}
          <Part name={s.connect.environment}><Snippet text={envLines(shown)} label={s.connect.environment} /></Part>
          <Part name={s.connect.start}><Snippet text={stack.start} label={s.connect.start} /></Part>
          {stack.note && <p className="text-xs text-muted">{stack.note}</p>}
        </Tabs.Content>
      ))}
    </Tabs.Root>
  )
}

function Part({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <div>
      <p className="mb-1 text-xs text-muted">{name}</p>
      {children}
    </div>
  )
}
