import { CopyButton } from '~/components/bits'
import { s } from '~/strings'

export function Snippet({ text, label, testId }: { text: string; label: string; testId?: string }) {
  return (
    <div className="relative rounded-md border border-line bg-sunken">
      <pre tabIndex={0} aria-label={label} data-snippet={testId} className="overflow-x-auto px-3 py-2 pr-14 text-sm leading-5">{text}</pre>
      <CopyButton text={text} label={s.common.copy(label)} className="absolute top-1 right-1 bg-sunken" />
    </div>
  )
}
