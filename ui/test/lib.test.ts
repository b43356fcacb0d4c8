import { describe, expect, it } from 'vitest'
import { MessageParser } from '~/api/sse'
import { mountRewrite } from '~/lib/base'
import { count, duration, percent, rate } from '~/lib/format'
import { bucketMinutes, rangeFilter, readRange } from '~/lib/range'
import { exactTime, relative } from '~/lib/time'
import { safeNext } from '~/routes/login'

describe('numbers', () => {
  it('durations have two significant units', () => {
    expect(duration(null)).toBe('–')
    expect(duration(0)).toBe('0 ms')
    expect(duration(0.4)).toBe('<1 ms')
    expect(duration(640)).toBe('640 ms')
    expect(duration(1_240)).toBe('1.24 s')
    expect(duration(59_960)).toBe('1 m')
    expect(duration(192_000)).toBe('3 m 12 s')
    expect(duration(90_061_000)).toBe('1 d 1 h')
  })
  it('counts are abbreviated from ten thousand up', () => {
    expect(count(9_999)).toBe('9,999')
    expect(count(12_430)).toBe('12.4 k')
    expect(count(999_600)).toBe('1 M')
  })
  it('a share is never rounded to nothing or to all', () => {
    expect(percent(0)).toBe('0 %')
    expect(percent(0.0002)).toBe('<0.1 %')
    expect(percent(0.9999)).toBe('>99.9 %')
    expect(percent(0.094)).toBe('9.4 %')
  })
  it('rates keep the digits they carry', () => {
    expect(rate(0)).toBe('0')
    expect(rate(0.5)).toBe('0.5')
    expect(rate(32.9)).toBe('33')
  })
})

describe('time', () => {
  it('says how long ago and how long until', () => {
    expect(relative(0, 14_400)).toBe('14 s ago')
    expect(relative(7_200_000, 0)).toBe('in 2 h')
    expect(relative(0, 300)).toBe('just now')
  })
  it('exact times name their zone', () => {
    expect(exactTime('2026-11-23T12:04:31.482913Z', 'utc')).toBe('2026-11-23 12:04:31.482 UTC')
  })
})

describe('the time range', () => {
  it('comes from the URL and falls back when it makes no sense', () => {
    expect(readRange({ range: '6h' }, null)?.minutes).toBe(360)
    expect(readRange({ range: 'nonsense' }, '1h')?.key).toBe('1h')
    expect(readRange({ from: '2026-01-01T01:00:00Z', to: '2026-01-01T00:00:00Z' }, null)).toBeNull()
    expect(readRange({ from: '2026-01-01T00:00:00Z', to: '2026-01-01T00:30:00Z' }, null)?.minutes).toBe(30)
  })
  it('a named span is open to the future', () => {
    const filter = rangeFilter(readRange({ range: '1h' }, null), Date.parse('2026-01-01T02:00:30Z'))
    expect(filter).toEqual({ since: '2026-01-01T01:00:00.000Z' })
  })
  it('buckets never exceed what the brain answers', () => {
    for (const minutes of [1, 15, 60, 360, 1_440, 10_080]) {
      for (const window of [minutes, 10_080]) {
        const size = bucketMinutes(minutes, window)
        expect(window / size).toBeLessThanOrEqual(1_500)
        expect(size).toBeLessThanOrEqual(window)
      }
    }
  })
})

describe('the event stream', () => {
  it('is the same however it is cut', () => {
    const text = ': beat\n\nid: 7\nevent: tasks\ndata: {"items":\ndata: []}\n\ndata: x\n\n'
    const whole = new MessageParser().push(text)
    const parser = new MessageParser()
    const cut = [...text].flatMap((letter) => parser.push(letter))
    expect(whole).toEqual([
      { id: '7', event: 'tasks', data: '{"items":\n[]}' },
      { id: '7', event: 'message', data: 'x' },
    ])
    expect(cut).toEqual(whole)
  })
  it('a message that never ended is never delivered', () => {
    expect(new MessageParser().push('event: tasks\ndata: half')).toEqual([])
  })
})

describe('the way back after sign-in', () => {
  it('stays on this dashboard', () => {
    expect(safeNext('/projects/default/tasks?state=failure')).toBe('/projects/default/tasks?state=failure')
    for (const bad of ['https://elsewhere.example', '//elsewhere.example', '/\\elsewhere.example', '/login?next=/login', undefined]) {
      expect(safeNext(bad)).toBe('/')
    }
  })
})

describe('a brain below a path', () => {
  const through = (base: string, way: 'input' | 'output', path: string) =>
    mountRewrite(base)?.[way]({ url: new URL(path, 'http://host.example') }).href.replace('http://host.example', '')
  it('takes its mount path from addresses and puts it back', () => {
    for (const [outside, inside] of [['/z4j', '/'], ['/z4j/setup?token=x', '/setup?token=x'], ['/z4j/projects/a%2Fb#c', '/projects/a%2Fb#c']] as const) {
      expect(through('/z4j', 'input', outside)).toBe(inside)
      expect(through('/z4j', 'output', inside)).toBe(outside)
    }
    expect(through('/z4j', 'input', '/z4j/')).toBe('/')
    expect(through('/z4j', 'input', '/z4jx/setup')).toBe('/z4jx/setup')
  })
  it('leaves addresses of a brain at the root alone', () => {
    expect(mountRewrite('')).toBeUndefined()
  })
})

describe('presence', () => {
  it('says when nobody has touched the page for a minute', async () => {
    const { presenceHeaders } = await import('~/lib/presence')
    window.dispatchEvent(new Event('keydown'))
    expect(presenceHeaders()).toEqual({})
    expect(presenceHeaders(Date.now() + 61_000)).toEqual({ 'x-z4j-background': '1' })
  })
})
