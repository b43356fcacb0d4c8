import { PageFrame } from '~/components/page'
export const AuditPage = () => <PageFrame title="audit">{null}</PageFrame>
