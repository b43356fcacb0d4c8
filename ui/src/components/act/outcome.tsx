import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { commandQuery } from '~/api/queries'
import type { Command } from '~/api/types'
import { shortId } from '~/lib/format'
import { s } from '~/strings'
import { Ago } from '../bits'
import { CommandWord } from '../state-mark'

/** The id of the task that a retry made, once it is known. */
export function newTaskOf(command: Command): { engine: string; taskId: string } | null {
  const result = command.result
  if (result === null || typeof result !== 'object' || Array.isArray(result)) return null
  const id = result['new_task_id']
  const engine = command.target_id?.split(':', 1)[0]
  return typeof id === 'string' && id !== '' && engine ? { engine, taskId: id } : null
}

/** One command with its own state, kept current by the stream. */
export function CommandOutcome({ slug, id, name }: { slug: string; id: string; name?: string | null }) {
  const { data: command } = useQuery({
    ...commandQuery(slug, id),
    // The stream brings the changes; this covers a stream that is down.
    refetchInterval: (q) => (q.state.data?.completed_at === null ? 5_000 : false),
  })
  if (command === undefined) return null
  const made = newTaskOf(command)
  return (
    <div data-command={command.id} data-status={command.status} className="rounded-md border border-line px-3 py-2 text-sm">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <span className="font-medium">{name ? <code>{name}</code> : (s.act.commandSays[command.action] ?? command.action)}</span>
        <CommandWord status={command.status} />
        <Ago at={command.completed_at ?? command.acknowledged_at ?? command.dispatched_at ?? command.issued_at} className="ml-auto text-muted" />
      </div>
      {command.error && <p className="mt-1 break-words">{command.error}</p>}
      {(command.status === 'unknown' || command.status === 'timed_out') && <p className="mt-1">{s.act.unknownOutcome}</p>}
      <p className="mt-1 flex flex-wrap gap-x-4 gap-y-1">
        {made && (
          <Link
            to="/projects/$slug/tasks/$engine/$taskId"
            params={{ slug, engine: made.engine, taskId: made.taskId }}
            data-new-task={made.taskId}
            className="text-accent underline underline-offset-2"
          >
            {s.act.newTask} <code>{shortId(made.taskId)}</code>
          </Link>
        )}
        <Link to="/projects/$slug/commands/$id" params={{ slug, id: command.id }} className="text-muted underline underline-offset-2 hover:text-ink">
          {s.act.openCommand}
        </Link>
      </p>
    </div>
  )
}
