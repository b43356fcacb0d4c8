/** A duration with its two significant units: `640 ms`, `1.24 s`, `3 m 12 s`, `2 d 4 h`. */
export function duration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return '–'
  if (ms < 0) return `−${duration(-ms)}`
  if (ms < 1) return ms === 0 ? '0 ms' : '<1 ms'
  if (ms < 1_000) return `${Math.round(ms)} ms`
  if (ms < 10_000) return `${(ms / 1_000).toFixed(2)} s`
  if (ms < 59_950) return `${(ms / 1_000).toFixed(1)} s`
  const seconds = Math.round(ms / 1_000)
  if (seconds < 3_600) return twoUnits(seconds, 60, 'm', 1, 's')
  if (seconds < 86_400) return twoUnits(seconds, 3_600, 'h', 60, 'm')
  return twoUnits(seconds, 86_400, 'd', 3_600, 'h')
}

function twoUnits(total: number, big: number, bigName: string, small: number, smallName: string): string {
  const first = Math.floor(total / big)
  const second = Math.floor((total % big) / small)
  return second === 0 ? `${first} ${bigName}` : `${first} ${bigName} ${second} ${smallName}`
}

const exact = new Intl.NumberFormat('en-US')

/** A count in full: `12,481`. */
export const exactCount = (n: number): string => exact.format(n)

/** A count, abbreviated from 10,000 up: `9,999`, `12.4 k`, `3.1 M`. */
export function count(n: number | null | undefined): string {
  if (n === null || n === undefined) return '–'
  if (Math.abs(n) < 10_000) return exact.format(n)
  if (Math.abs(n) < 999_500) return `${trim(n / 1_000)} k`
  if (Math.abs(n) < 999_500_000) return `${trim(n / 1_000_000)} M`
  return `${trim(n / 1_000_000_000)} G`
}

const trim = (n: number) => (n < 100 ? n.toFixed(1).replace(/\.0$/, '') : Math.round(n).toString())

/** A share: `0 %`, `0.4 %`, `12 %`; never rounds something to nothing or to all. */
export function percent(share: number): string {
  if (!Number.isFinite(share)) return '–'
  if (share > 0 && share < 0.001) return '<0.1 %'
  if (share < 1 && share > 0.999) return '>99.9 %'
  const value = share * 100
  return `${value < 10 ? value.toFixed(1).replace(/\.0$/, '') : Math.round(value)} %`
}

/** A rate per minute, with as many digits as it carries. */
export function rate(n: number): string {
  if (n === 0) return '0'
  if (n < 0.01) return '<0.01'
  return n < 10 ? n.toFixed(2).replace(/\.?0+$/, '') : count(Math.round(n))
}

/** The end of a long id: ids that begin with their time are told apart by nothing else. */
export function shortId(id: string): string {
  return id.length > 13 ? `…${id.slice(-8)}` : id
}

export const plural = (n: number, one: string, many: string): string => `${exactCount(n)} ${n === 1 ? one : many}`
