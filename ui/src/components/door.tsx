import type { ReactNode } from 'react'
import { below } from '~/lib/base'

/** The frame of the pages before sign-in. */
export function Door({ title, text, children }: { title: string; text?: ReactNode; children: ReactNode }) {
  return (
    <main className="flex min-h-dvh items-start justify-center px-4 pt-[12vh] pb-10">
      <div className="w-full max-w-[400px]">
        <p className="mb-6 flex items-center gap-2 text-lg font-semibold">
          <img src={below('/favicon.svg')} alt="" className="size-7" />
          z4j
        </p>
        <h1 className="text-xl font-semibold">{title}</h1>
        {text !== undefined && <div className="mt-1 text-sm text-muted">{text}</div>}
        <div className="mt-5">{children}</div>
      </div>
    </main>
  )
}
