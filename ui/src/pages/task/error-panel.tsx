import { useState } from 'react'
import type { Task } from '~/api/types'
import { CopyButton, Panel } from '~/components/bits'
import { Mark } from '~/components/state-mark'
import { foldFrames, type Frame, parseTraceback } from '~/lib/traceback'
import { s } from '~/strings'

/** Type, message, then the frames of the application; those of libraries are folded. */
export function ErrorPanel({ task }: { task: Task }) {
  const [raw, setRaw] = useState(false)
  const blocks = task.traceback === null ? null : parseTraceback(task.traceback)
  return (
    <Panel
      className="border-danger/45"
      title={
        <span className="flex items-center gap-2 text-danger">
          <Mark state="failure" />
          {s.task.error}
        </span>
      }
      aside={
        task.traceback !== null && (
          <>
            {blocks !== null && (
              <label className="flex items-center gap-1.5 text-xs text-muted">
                <input type="checkbox" checked={raw} onChange={() => setRaw(!raw)} className="accent-(--accent)" />
                {s.task.rawTraceback}
              </label>
            )}
            <CopyButton text={task.traceback} label={s.task.copyTrace} />
          </>
        )
      }
      bodyClass=""
    >
      <div className="px-4 py-3">
        <p className="font-mono text-base font-semibold break-words">{task.exception ?? s.states.failure}</p>
        <p className="font-mono text-sm break-words whitespace-pre-wrap">{task.exception_message ?? s.task.noMessage}</p>
      </div>
      {task.traceback !== null && (raw || blocks === null) && (
        <pre tabIndex={0} aria-label={s.task.rawTraceback} className="max-h-[480px] overflow-auto border-t border-line bg-sunken px-4 py-3 text-xs leading-5">{task.traceback}</pre>
      )}
      {!raw &&
        blocks?.map((block, index) => (
          <div key={index} className="border-t border-line">
            {index > 0 && <p className="px-4 py-2 font-mono text-sm break-words">{block.error}</p>}
            {foldFrames(block.frames).map((group, at) =>
              group.library ? (
                <details key={at} className="border-t border-line first:border-t-0">
                  <summary className="px-4 py-1.5 text-xs text-muted hover:bg-hover">{s.task.framesFolded(group.frames.length)}</summary>
                  {group.frames.map((frame, n) => <FrameRow key={n} frame={frame} />)}
                </details>
              ) : (
                group.frames.map((frame, n) => <FrameRow key={`${at}.${n}`} frame={frame} />)
              ),
            )}
            {block.link !== null && <p className="border-t border-line px-4 py-1.5 text-xs text-muted">{block.link}</p>}
          </div>
        ))}
    </Panel>
  )
}

function FrameRow({ frame }: { frame: Frame }) {
  return (
    <div className={`border-t border-line px-4 py-2 text-sm first:border-t-0 ${frame.library ? 'text-muted' : ''}`}>
      <p className="flex flex-wrap items-baseline gap-x-2">
        <code className="font-medium break-all">{frame.func || '<module>'}</code>
        <code className="text-xs break-all text-muted">
          {frame.file && `${frame.file}:${frame.line}`}
        </code>
      </p>
      {frame.code !== null && (
        <pre tabIndex={0} aria-label={`${frame.file}:${frame.line}`} className="mt-1 overflow-x-auto rounded bg-sunken px-2 py-1 text-sm">{frame.code}</pre>
      )}
    </div>
  )
}
