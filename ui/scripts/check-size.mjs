// The dashboard's weight, gzip: the shell's own scripts, each lazy chunk, all scripts together.
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'

const LIMIT_KB = { entry: 130, chunk: 120, total: 600 }
const client = new URL('../dist/client', import.meta.url).pathname
const shell = readFileSync(join(client, 'index.html'), 'utf8')
const chunks = readdirSync(join(client, 'assets'))
  .filter((name) => name.endsWith('.js'))
  .map((name) => ({
    name,
    kb: gzipSync(readFileSync(join(client, 'assets', name)), { level: 9 }).length / 1024,
  }))
  .sort((a, b) => b.kb - a.kb)
const scripts = [...shell.matchAll(/<script[^>]+src="\/assets\/([^"]+)"|import\("\/assets\/([^"]+)"\)/g)].map((m) => m[1] ?? m[2])
const entry = chunks.filter((c) => scripts.includes(c.name))
const total = chunks.reduce((sum, c) => sum + c.kb, 0)
const entryKb = entry.reduce((sum, c) => sum + c.kb, 0)

const problems = []
if (entry.length === 0) problems.push('no entry script found in the shell')
if (entryKb > LIMIT_KB.entry) problems.push(`entry ${entryKb.toFixed(1)} kB > ${LIMIT_KB.entry} kB`)
if (total > LIMIT_KB.total) problems.push(`total ${total.toFixed(1)} kB > ${LIMIT_KB.total} kB`)
for (const chunk of chunks) {
  if (!entry.includes(chunk) && chunk.kb > LIMIT_KB.chunk) {
    problems.push(`${chunk.name} ${chunk.kb.toFixed(1)} kB > ${LIMIT_KB.chunk} kB`)
  }
}
for (const chunk of chunks.slice(0, 8)) console.log(`${chunk.kb.toFixed(1).padStart(7)} kB  ${chunk.name}`)
console.log(`entry ${entryKb.toFixed(1)} kB, total ${total.toFixed(1)} kB in ${chunks.length} scripts`)
for (const problem of problems) console.error(problem)
process.exit(problems.length === 0 ? 0 : 1)
