// What the walk is told, and what it takes for granted.
const option = (name, fallback) => {
  const at = process.argv.indexOf(`--${name}`)
  return at === -1 ? fallback : process.argv[at + 1]
}
export const base = option('base')?.replace(/\/$/, '')
if (!base) {
  console.error('--base URL is needed')
  process.exit(2)
}
export const setupUrl = option('setup-url')
export const out = option('out', 'e2e/out')
export const WAIT_MS = Number(option('wait', '90')) * 1_000
export const EMAIL = option('email', 'ada@example.net')
export const PASSWORD = option('password', 'correct horse battery staple')
export const SIGNED_OUT = [/status of 401/]
export const SIZES = [[1440, 900], [1024, 768], [390, 844]]
export const HOME = '/projects/default'
