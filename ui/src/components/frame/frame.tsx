import { Outlet } from '@tanstack/react-router'
import { Dialog as Primitive } from 'radix-ui'
import { useState } from 'react'
import { usePref } from '~/lib/prefs'
import { cn } from '~/lib/cn'
import { s } from '~/strings'
import { HelpDialog } from './help'
import { Palette } from './palette'
import { Rail } from './rail'
import { TopBar } from './top-bar'
import { useFrameKeys } from './use-frame-keys'

/** Rail, top bar and the page. On a phone the rail is a drawer. */
export function Frame({ slug }: { slug: string }) {
  const [narrow, setNarrow] = usePref('rail-narrow', false)
  const [drawer, setDrawer] = useState(false)
  const [palette, setPalette] = useState(false)
  const [help, setHelp] = useState(false)
  useFrameKeys({ onPalette: () => setPalette(true), onHelp: () => setHelp(true) })

  return (
    <div className="flex min-h-dvh">
      <a href="#page" className="sr-only z-50 bg-surface p-2 focus:not-sr-only focus:absolute">
        {s.frame.skip}
      </a>
      <aside
        aria-label={s.frame.pages}
        className={cn(
          'sticky top-0 hidden h-dvh shrink-0 overflow-y-auto border-r border-line bg-surface md:block',
          narrow ? 'w-13' : 'w-[220px]',
        )}
      >
        <Rail narrow={narrow} onToggle={() => setNarrow(!narrow)} />
      </aside>
      <Primitive.Root open={drawer} onOpenChange={setDrawer}>
        <Primitive.Portal>
          <Primitive.Overlay className="fixed inset-0 z-40 bg-black/40 md:hidden" />
          <Primitive.Content
            aria-describedby={undefined}
            className="fixed inset-y-0 left-0 z-50 w-[260px] border-r border-line bg-surface shadow-float md:hidden"
            onClick={(event) => {
              if (event.target instanceof Element && event.target.closest('a')) setDrawer(false)
            }}
          >
            <Primitive.Title className="sr-only">{s.frame.pages}</Primitive.Title>
            <Rail narrow={false} />
          </Primitive.Content>
        </Primitive.Portal>
      </Primitive.Root>
      <div className="flex min-w-0 flex-1 flex-col">
        <TopBar slug={slug} onMenu={() => setDrawer(true)} onPalette={() => setPalette(true)} onHelp={() => setHelp(true)} />
        <main id="page" tabIndex={-1} className="min-w-0 flex-1 outline-none">
          <Outlet />
        </main>
      </div>
      <Palette slug={slug} open={palette} onOpenChange={setPalette} onHelp={() => setHelp(true)} />
      <HelpDialog open={help} onOpenChange={setHelp} />
    </div>
  )
}
