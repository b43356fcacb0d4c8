/** One message of a server-sent event stream. */
export interface Message { id: string | null; event: string; data: string }

/**
 * Splits a byte stream into messages. Comment lines count as a sign of life only.
 *
 * The browser's own EventSource hides comments and the status of a refusal; both are needed to
 * tell a quiet stream from a dead one.
 */
export class MessageParser {
  private rest = ''
  private id: string | null = null
  private event = ''
  private data: string[] = []

  /** Feeds text, returns the messages it completed. */
  push(text: string): Message[] {
    const done: Message[] = []
    const lines = (this.rest + text).split(/\r\n|\n|\r/)
    // A lone CR at the very end may be half of a CRLF; it stays with the unfinished line.
    this.rest = lines.pop() ?? ''
    for (const line of lines) this.line(line, done)
    return done
  }

  private line(line: string, done: Message[]): void {
    if (line === '') {
      if (this.data.length > 0) {
        done.push({ id: this.id, event: this.event || 'message', data: this.data.join('\n') })
      }
      this.event = ''
      this.data = []
      return
    }
    if (line.startsWith(':')) return
    const colon = line.indexOf(':')
    const field = colon === -1 ? line : line.slice(0, colon)
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (field === 'event') this.event = value
    else if (field === 'data') this.data.push(value)
    else if (field === 'id') this.id = value
  }
}
