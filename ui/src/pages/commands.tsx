import { PageFrame } from '~/components/page'
export const CommandsPage = () => <PageFrame title="commands">{null}</PageFrame>
