// After `vite build`: makes the shell reproducible, compresses every asset once (never per
// request) and leaves a stamp that tells cargo the embedded files changed.
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

const root = new URL('..', import.meta.url).pathname
const client = join(root, 'dist/client')
const COMPRESSIBLE = /\.(js|css|html|svg|json|txt|webmanifest)$/
const COMPRESS_BYTES_MIN = 1024

function* filesUnder(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) yield* filesUnder(path)
    else yield path
  }
}

// One of the shell's inline scripts carries the time of the build; a fixed one makes two builds
// of the same sources the same bytes.
const shellPath = join(client, 'index.html')
const shell = readFileSync(shellPath, 'utf8').replace(/\bu:1[0-9]{12}\b/g, 'u:0')
writeFileSync(shellPath, shell)

for (const [, link] of shell.matchAll(/(?:href|src)="(\/[^"]+)"/g)) {
  statSync(join(client, link)) // a shell that links a missing file is a broken build
}

rmSync(join(root, 'dist/server'), { recursive: true, force: true })

const digest = createHash('sha256')
for (const path of [...filesUnder(client)].sort()) {
  if (/\.(br|gz)$/.test(path)) continue
  const bytes = readFileSync(path)
  digest.update(relative(client, path)).update(bytes)
  if (path === shellPath || !COMPRESSIBLE.test(path) || bytes.length < COMPRESS_BYTES_MIN) continue
  const brotli = brotliCompressSync(bytes, {
    params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length },
  })
  writeFileSync(`${path}.br`, brotli)
  writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }))
}
// Written only when it differs: its time is what makes cargo build the crate anew.
const stampPath = join(root, 'crate/dist-stamp')
const stamp = `${digest.digest('hex')}\n`
if (!existsSync(stampPath) || readFileSync(stampPath, 'utf8') !== stamp) writeFileSync(stampPath, stamp)
