import { PageFrame } from '~/components/page'
export const ConnectPage = () => <PageFrame title="connect">{null}</PageFrame>
