import { PageFrame } from '~/components/page'
export const AgentsPage = () => <PageFrame title="agents">{null}</PageFrame>
