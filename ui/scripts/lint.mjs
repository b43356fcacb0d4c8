// What the compiler does not check: file length, leftovers, styles the security policy forbids,
// words outside src/strings.ts.
import { readFileSync, readdirSync } from 'node:fs'
import { join, relative } from 'node:path'

const root = new URL('..', import.meta.url).pathname
const LINES_MAX = 400
const BANNED = [
  [/dangerouslySetInnerHTML/, 'markup from strings is not allowed'],
  [/console\.(log|debug)/, 'leftover console call'],
  [/\bTODO\b|\bFIXME\b/, 'unfinished work'],
  [/\bdebugger\b/, 'leftover debugger'],
  [/: any\b|as any\b/, 'untyped value'],
  [/@ts-(ignore|nocheck)/, 'silenced type error'],
]
// Text between tags: two words or more belong into src/strings.ts.
const LOOSE_TEXT = /^\s*[A-Z][a-z]+ [a-z]+[^{}<>=;:()]*$|>\s*[A-Z][a-z]+( [a-z]+)+\s*</

function* sources(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) yield* sources(path)
    else if (/\.tsx?$/.test(entry.name) && !/\.gen\.ts$|schema\.d\.ts$/.test(entry.name)) yield path
  }
}

const problems = []
for (const path of sources(join(root, 'src'))) {
  const name = relative(root, path)
  const lines = readFileSync(path, 'utf8').split('\n')
  if (lines.length > LINES_MAX) problems.push(`${name}: ${lines.length} lines, at most ${LINES_MAX}`)
  lines.forEach((line, index) => {
    for (const [pattern, why] of BANNED) {
      if (pattern.test(line)) problems.push(`${name}:${index + 1}: ${why}`)
    }
    if (name.endsWith('.tsx') && LOOSE_TEXT.test(line) && !/^\s*(\/\/|\*|\/\*)/.test(line)) {
      problems.push(`${name}:${index + 1}: text belongs into src/strings.ts`)
    }
  })
}
for (const problem of problems) console.error(problem)
console.log(`${problems.length} problems`)
process.exit(problems.length === 0 ? 0 : 1)
