// Tracebacks of Python and backtraces of Rust as agents report them; anything else stays plain text.

export interface Frame { file: string; line: number; func: string; code: string | null; library: boolean }
export interface Block { frames: Frame[]; error: string; link: string | null }

const FRAME = /^\s*File "(.+?)", line (\d+)(?:, in (.+))?$/
const LINK = /^(During handling of the above exception|The above exception was the direct cause)/
const LIBRARY = /(site-packages|dist-packages|\/lib(64)?\/python\d|\\Lib\\|^<frozen |\/python\d\.\d+\/lib\/)/

/** The blocks of a traceback, the one that was raised last first; null when it is not one. */
export function parseTraceback(text: string): Block[] | null {
  return parsePython(text) ?? parseRust(text)
}

const RUST_FRAME = /^\s*\d+: (.+)$/
const RUST_PLACE = /^\s+at (.+?):(\d+)(?::\d+)?$/
const RUST_LIBRARY = /(^\/rustc\/|\/\.?cargo\/(registry|git)\/|\/rustlib\/)/

function parseRust(text: string): Block[] | null {
  const frames: Frame[] = []
  const error: string[] = []
  for (const line of text.split('\n')) {
    const place = RUST_PLACE.exec(line)
    const start = RUST_FRAME.exec(line)
    const last = frames.at(-1)
    if (place && last) {
      Object.assign(last, { file: place[1], line: Number(place[2]), library: RUST_LIBRARY.test(place[1] ?? '') })
    } else if (start) {
      // A frame without a place is the runtime's own.
      frames.push({ file: '', line: 0, func: (start[1] ?? '').replace(/::h[0-9a-f]{16}$/, ''), code: null, library: true })
    } else if (frames.length === 0 && line.trim() !== '') error.push(line)
  }
  if (!frames.some((frame) => frame.file !== '')) return null
  // Rust lists the deepest frame first, Python last; the rest of the page counts on the latter.
  return [{ frames: frames.reverse(), error: error.join('\n').trim(), link: null }]
}

function parsePython(text: string): Block[] | null {
  const blocks: Block[] = []
  let frames: Frame[] = []
  let error: string[] = []
  let link: string | null = null
  const flush = () => {
    if (frames.length > 0 || error.length > 0) blocks.push({ frames, error: error.join('\n').trim(), link })
    frames = []
    error = []
    link = null
  }
  for (const line of text.split('\n')) {
    const match = FRAME.exec(line)
    if (match) {
      const [, file = '', at = '0', func = ''] = match
      frames.push({ file, line: Number(at), func: func.trim(), code: null, library: LIBRARY.test(file) })
    } else if (LINK.test(line)) {
      flush()
      link = line.trim().replace(/:$/, '')
    } else if (/^Traceback \(most recent call last\)/.test(line)) {
      continue
    } else if (/^\s/.test(line) && frames.length > 0 && error.length === 0) {
      const last = frames.at(-1)
      // The markers under a line of code (~~~^^^) say nothing without their columns.
      if (last && last.code === null && line.trim() !== '' && !/^[\s~^]+$/.test(line)) last.code = line.trim()
    } else if (line.trim() !== '') error.push(line)
  }
  flush()
  return blocks.some((block) => block.frames.length > 0) ? blocks.reverse() : null
}

/** Frames deepest first, neighbouring library frames together so that they can be folded. */
export function foldFrames(frames: readonly Frame[]): { library: boolean; frames: Frame[] }[] {
  const groups: { library: boolean; frames: Frame[] }[] = []
  for (const frame of [...frames].reverse()) {
    const last = groups.at(-1)
    if (last && last.library && frame.library) last.frames.push(frame)
    else groups.push({ library: frame.library, frames: [frame] })
  }
  return groups
}
