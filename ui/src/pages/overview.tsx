import { PageFrame } from '~/components/page'
import { s } from '~/strings'
export const OverviewPage = () => <PageFrame title={s.overview.title}>{null}</PageFrame>
