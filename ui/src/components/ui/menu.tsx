import { Check } from 'lucide-react'
import { DropdownMenu as Primitive } from 'radix-ui'
import type { ComponentProps, ReactNode } from 'react'
import { cn } from '~/lib/cn'

const ITEM =
  'flex min-h-8 w-full cursor-default items-center gap-2 rounded px-2 py-1 text-sm outline-none select-none data-[highlighted]:bg-hover data-[disabled]:opacity-50'

export const Menu = Primitive.Root
export const MenuTrigger = Primitive.Trigger

export function MenuContent({ className, align = 'start', ...rest }: ComponentProps<typeof Primitive.Content>) {
  return (
    <Primitive.Portal>
      <Primitive.Content
        data-slot="menu"
        align={align}
        sideOffset={4}
        collisionPadding={8}
        className={cn(
          'z-50 max-h-(--radix-dropdown-menu-content-available-height) min-w-44 overflow-y-auto rounded-md border border-line bg-surface p-1 shadow-float',
          className,
        )}
        {...rest}
      />
    </Primitive.Portal>
  )
}

export function MenuItem({ className, ...rest }: ComponentProps<typeof Primitive.Item>) {
  return <Primitive.Item className={cn(ITEM, className)} {...rest} />
}

export function MenuCheck({
  checked, onToggle, children, keepOpen = false,
}: { checked: boolean; onToggle: () => void; children: ReactNode; keepOpen?: boolean }) {
  return (
    <Primitive.CheckboxItem
      checked={checked}
      onCheckedChange={onToggle}
      onSelect={(event) => keepOpen && event.preventDefault()}
      className={ITEM}
    >
      <span className="flex size-4 items-center justify-center">
        <Primitive.ItemIndicator>
          <Check className="size-3.5" aria-hidden />
        </Primitive.ItemIndicator>
      </span>
      {children}
    </Primitive.CheckboxItem>
  )
}

export const MenuLabel = ({ children }: { children: ReactNode }) => (
  <Primitive.Label className="px-2 pt-1.5 pb-1 text-xs text-muted">{children}</Primitive.Label>
)
export const MenuLine = () => <Primitive.Separator className="-mx-1 my-1 h-px bg-line" />
