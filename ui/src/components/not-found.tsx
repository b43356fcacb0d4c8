import { Link } from '@tanstack/react-router'
import { s } from '~/strings'
import { Empty } from './page'
import { buttonClass } from './ui/button'

export function NotFound() {
  return (
    <main>
      <h1 className="sr-only">{s.notFound.title}</h1>
      <Empty
        title={s.notFound.title}
        action={
          <Link to="/" className={buttonClass('plain')}>
            {s.notFound.home}
          </Link>
        }
      >
        {s.notFound.text}
      </Empty>
    </main>
  )
}
