import { PageFrame } from '~/components/page'
export const QueuesPage = () => <PageFrame title="queues">{null}</PageFrame>
