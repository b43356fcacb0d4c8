import { PageFrame } from '~/components/page'
import { useProject } from '~/lib/project'
import { s } from '~/strings'
import { ConnectSteps } from './steps'

export function ConnectPage() {
  const { slug } = useProject()
  return (
    <PageFrame title={s.connect.title} note={s.connect.text}>
      <ConnectSteps slug={slug} another />
    </PageFrame>
  )
}
