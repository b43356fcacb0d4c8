import { useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { CircleUser, Menu as MenuIcon, Monitor, Moon, Search, Sun } from 'lucide-react'
import { post } from '~/api/client'
import { applyTheme, type Theme, usePref } from '~/lib/prefs'
import { useProject } from '~/lib/project'
import type { Zone } from '~/lib/time'
import { s } from '~/strings'
import { Kbd } from '../bits'
import { IconButton } from '../ui/button'
import { Menu, MenuCheck, MenuContent, MenuItem, MenuLabel, MenuLine, MenuTrigger } from '../ui/menu'
import { Crumbs } from './crumbs'
import { LiveMark } from './live-mark'
import { TimeRange } from './time-range'

export function TopBar({
  slug, onMenu, onPalette, onHelp,
}: { slug: string; onMenu: () => void; onPalette: () => void; onHelp: () => void }) {
  return (
    <header className="sticky top-0 z-30 flex h-12 items-center gap-1 border-b border-line bg-surface px-2 sm:gap-2 sm:px-4">
      <IconButton label={s.frame.openMenu} onClick={onMenu} className="md:hidden">
        <MenuIcon className="size-4" aria-hidden />
      </IconButton>
      <Crumbs slug={slug} />
      <div className="ml-auto flex items-center gap-1 sm:gap-2">
        <TimeRange />
        <button
          type="button"
          onClick={onPalette}
          className="inline-flex h-8 items-center gap-2 rounded-md px-2 text-sm text-muted hover:bg-hover hover:text-ink lg:border lg:border-line"
        >
          <Search className="size-4" aria-hidden />
          <span className="max-lg:sr-only">{s.palette.short}</span>
          <span className="hidden lg:inline-flex">
            <Kbd>{isMac() ? '⌘K' : 'Ctrl K'}</Kbd>
          </span>
        </button>
        <LiveMark />
        <ThemeMenu />
        <UserMenu onHelp={onHelp} />
      </div>
    </header>
  )
}

const isMac = () => /Mac|iPhone|iPad/.test(navigator.userAgent)

const THEMES = [
  ['system', Monitor],
  ['light', Sun],
  ['dark', Moon],
] as const

function ThemeMenu() {
  const [theme, setTheme] = usePref<Theme>('theme', 'system')
  const Icon = THEMES.find(([name]) => name === theme)?.[1] ?? Monitor
  return (
    <Menu>
      <MenuTrigger asChild>
        <IconButton label={s.frame.theme} className="hidden sm:inline-flex">
          <Icon className="size-4" aria-hidden />
        </IconButton>
      </MenuTrigger>
      <MenuContent align="end">
        <ThemeItems theme={theme} onTheme={setTheme} />
      </MenuContent>
    </Menu>
  )
}

function ThemeItems({ theme, onTheme }: { theme: Theme; onTheme: (theme: Theme) => void }) {
  return THEMES.map(([name, Icon]) => (
    <MenuCheck
      key={name}
      checked={theme === name}
      onToggle={() => {
        onTheme(name)
        applyTheme(name)
      }}
    >
      <Icon className="size-4 text-muted" aria-hidden />
      {s.frame.themes[name]}
    </MenuCheck>
  ))
}

function UserMenu({ onHelp }: { onHelp: () => void }) {
  const { me, role } = useProject()
  const client = useQueryClient()
  const navigate = useNavigate()
  const [zone, setZone] = usePref<Zone>('zone', 'local')
  const [theme, setTheme] = usePref<Theme>('theme', 'system')
  const signOut = async () => {
    try {
      await post('/auth/logout')
    } finally {
      client.clear()
      await navigate({ to: '/login' })
    }
  }
  return (
    <Menu>
      <MenuTrigger asChild>
        <IconButton label={s.frame.account}>
          <CircleUser className="size-4" aria-hidden />
        </IconButton>
      </MenuTrigger>
      <MenuContent align="end" className="w-60">
        <div className="px-2 py-1.5">
          <p className="truncate text-sm font-medium">{me?.user.display_name ?? me?.user.email}</p>
          <p className="truncate text-xs text-muted">{`${me?.user.email ?? ''} · ${role}`}</p>
        </div>
        <MenuLine />
        <MenuLabel>{s.frame.zone}</MenuLabel>
        <MenuCheck checked={zone === 'local'} onToggle={() => setZone('local')}>
          {s.frame.zoneLocal(Intl.DateTimeFormat().resolvedOptions().timeZone)}
        </MenuCheck>
        <MenuCheck checked={zone === 'utc'} onToggle={() => setZone('utc')}>
          UTC
        </MenuCheck>
        <div className="sm:hidden">
          <MenuLine />
          <MenuLabel>{s.frame.theme}</MenuLabel>
          <ThemeItems theme={theme} onTheme={setTheme} />
        </div>
        <MenuLine />
        <MenuItem onSelect={onHelp}>{s.help.title}</MenuItem>
        <MenuItem onSelect={() => void signOut()}>{s.frame.signOut}</MenuItem>
        <MenuLine />
        <p className="px-2 py-1 text-xs text-muted">{s.frame.version(me?.server.version ?? '')}</p>
      </MenuContent>
    </Menu>
  )
}
