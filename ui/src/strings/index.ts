// Every word people read is here: short, exact, in the user's terms.
import { frame } from './frame'
import { fleet } from './fleet'
import { tasks } from './tasks'

export const s = { ...frame, ...fleet, ...tasks }
