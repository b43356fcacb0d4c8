import { PageFrame } from '~/components/page'
export const WorkersPage = () => <PageFrame title="workers">{null}</PageFrame>
