import { PageFrame } from '~/components/page'
export const TasksPage = () => <PageFrame title="tasks">{null}</PageFrame>
