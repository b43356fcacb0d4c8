import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { queuesQuery } from '~/api/queries'
import type { Stats } from '~/api/types'
import { Count, Panel } from '~/components/bits'
import { Mark } from '~/components/state-mark'
import { useProject } from '~/lib/project'
import { s } from '~/strings'

const QUEUES_SHOWN = 6

/** Agents, workers and the busiest queues in one column. */
export function FleetStrip({ slug, stats }: { slug: string; stats: Stats }) {
  const { can } = useProject()
  const { data } = useQuery({ ...queuesQuery(slug), enabled: can('queue.read') })
  const queues = [...(data?.items ?? [])].sort((a, b) => b.waiting + b.running - a.waiting - a.running).slice(0, QUEUES_SHOWN)
  const counted = queues.some((queue) => queue.failed_1h !== null)
  const { agents, workers } = stats
  return (
    <Panel bodyClass="divide-y divide-line">
      <Line to="/projects/$slug/agents" slug={slug} name={s.overview.agents} bad={agents.offline > 0 || agents.online === 0} text={s.overview.online(agents.online, agents.online + agents.offline)} />
      <Line to="/projects/$slug/workers" slug={slug} name={s.overview.workers} bad={workers.offline > 0} text={s.overview.online(workers.online, workers.online + workers.offline)} />
      <div>
        <Link to="/projects/$slug/queues" params={{ slug }} className="flex min-h-9 items-center px-4 text-sm font-semibold hover:bg-hover">
          {s.overview.queues}
        </Link>
        {queues.length === 0 ? (
          <p className="px-4 pb-3 text-sm text-muted">{s.overview.noneQueued}</p>
        ) : (
          <table className="num w-full text-sm">
            <thead className="text-xs text-muted">
              <tr>
                <th scope="col" className="px-4 pb-1 text-left font-normal">{s.queues.name}</th>
                <th scope="col" className="px-2 pb-1 text-right font-normal">{s.queues.waiting}</th>
                <th scope="col" className="px-2 pb-1 text-right font-normal last:pr-4">{s.queues.running}</th>
                {counted && <th scope="col" className="px-4 pb-1 text-right font-normal">{s.queues.failed}</th>}
              </tr>
            </thead>
            <tbody>
              {queues.map((queue) => (
                <tr key={queue.id} className="h-8 border-t border-line hover:bg-hover">
                  <th scope="row" className="max-w-40 truncate px-4 text-left font-normal">
                    <Link to="/projects/$slug/tasks" params={{ slug }} search={{ queue: queue.name }} className="hover:underline">{queue.name}</Link>
                  </th>
                  <td className="px-2 text-right"><Count n={queue.waiting} /></td>
                  <td className="px-2 text-right last:pr-4"><Count n={queue.running} /></td>
                  {counted && <td className={`px-4 text-right ${(queue.failed_1h ?? 0) > 0 ? 'text-st-failure' : ''}`}><Count n={queue.failed_1h} /></td>}
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </div>
    </Panel>
  )
}

function Line({ to, slug, name, bad, text }: { to: '/projects/$slug/agents' | '/projects/$slug/workers'; slug: string; name: string; bad: boolean; text: string }) {
  return (
    <Link to={to} params={{ slug }} className="flex min-h-10 items-center gap-2 px-4 text-sm hover:bg-hover">
      <span className="flex-1 font-semibold">{name}</span>
      <Mark state={bad ? 'lost' : 'success'} />
      <span className="num">{text}</span>
    </Link>
  )
}
