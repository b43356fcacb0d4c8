import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { taskQuery, taskTreeQuery } from '~/api/queries'
import type { Task, TreeNode } from '~/api/types'
import { Panel } from '~/components/bits'
import { known, Mark } from '~/components/state-mark'
import { duration, shortId } from '~/lib/format'
import { s } from '~/strings'

const NODES_MAX = 60

/** Retry of, retried as, parent and the tasks started together. Nothing when the task is alone. */
export function Family({ slug, task }: { slug: string; task: Task }) {
  const { data: tree } = useQuery(taskTreeQuery(slug, task.engine, task.task_id))
  const relatives = [
    ['retryOf', task.retry_of],
    ['retriedAs', task.retried_as],
    ['parent', task.parent_task_id],
    ['root', task.root_task_id === task.task_id || task.root_task_id === task.parent_task_id ? null : task.root_task_id],
  ] as const
  const hasTree = (tree?.nodes.length ?? 0) > 1
  if (!hasTree && relatives.every(([, id]) => id === null)) return null
  return (
    <Panel title={s.task.family}>
      <dl className="grid grid-cols-[max-content_1fr] gap-x-4 gap-y-1.5 text-sm">
        {relatives.map(([kind, id]) =>
          id === null ? null : (
            <div key={kind} className="contents" data-relative={kind}>
              <dt className="text-muted">{s.task[kind]}</dt>
              <dd className="min-w-0"><Relative slug={slug} engine={task.engine} id={id} /></dd>
            </div>
          ),
        )}
      </dl>
      {hasTree && tree && (
        <div className="mt-3">
          <p className="mb-1 text-xs text-muted">{s.task.tree}</p>
          <ul className="text-sm">{branches(tree.nodes, task.task_id, slug)}</ul>
          {(tree.truncated || tree.nodes.length > NODES_MAX) && <p className="mt-1 text-xs text-muted">{s.task.treeTruncated}</p>}
        </div>
      )}
    </Panel>
  )
}

function Relative({ slug, engine, id }: { slug: string; engine: string; id: string }) {
  const { data } = useQuery({ ...taskQuery(slug, engine, id), retry: false })
  return (
    <Link to="/projects/$slug/tasks/$engine/$taskId" params={{ slug, engine, taskId: id }} className="inline-flex max-w-full items-center gap-2 text-accent hover:underline">
      {data && <Mark state={known(data.state)} label={s.states[known(data.state)]} />}
      <code className="truncate">{id}</code>
    </Link>
  )
}

/** Nodes depth first below their parents; one whose parent is unknown stands at the top. */
function branches(nodes: TreeNode[], current: string, slug: string) {
  const ids = new Set(nodes.map((node) => node.task_id))
  const children = new Map<string | null, TreeNode[]>()
  for (const node of nodes) {
    const parent = node.parent_task_id !== null && ids.has(node.parent_task_id) ? node.parent_task_id : null
    children.set(parent, [...(children.get(parent) ?? []), node])
  }
  const rows: { node: TreeNode; depth: number }[] = []
  const seen = new Set<string>()
  const walk = (parent: string | null, depth: number) => {
    for (const node of children.get(parent) ?? []) {
      if (seen.has(node.task_id) || rows.length >= NODES_MAX) continue
      seen.add(node.task_id)
      rows.push({ node, depth })
      walk(node.task_id, depth + 1)
    }
  }
  walk(null, 0)
  return rows.map(({ node, depth }) => (
    <li key={node.task_id} style={{ paddingLeft: Math.min(depth, 8) * 16 }}>
      <Link
        to="/projects/$slug/tasks/$engine/$taskId"
        params={{ slug, engine: node.engine, taskId: node.task_id }}
        aria-current={node.task_id === current ? 'page' : undefined}
        className={`flex min-h-7 items-center gap-2 rounded px-1 hover:bg-hover ${node.task_id === current ? 'bg-accent-soft' : ''}`}
      >
        <Mark state={known(node.state)} label={s.states[known(node.state)]} />
        <code className="min-w-0 truncate">{node.name ?? s.tasks.noName}</code>
        <code className="text-xs text-muted">{node.task_id === current ? s.task.thisTask : shortId(node.task_id)}</code>
        <span className="num ml-auto text-xs text-muted">{duration(node.runtime_ms)}</span>
      </Link>
    </li>
  ))
}
