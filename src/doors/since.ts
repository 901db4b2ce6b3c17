/** How people say since when. */

const HOURS: Record<string, number> = { h: 1, d: 24, w: 168 }

/** `7d`, `24h`, `2w`, or a date, as ISO time. */
export function readSince(text: string): string | undefined {
  const [, count, unit = ''] = /^(\d{1,4})([hdw])$/.exec(text) ?? []
  if (count) return new Date(Date.now() - Number(count) * (HOURS[unit] ?? 0) * 3_600_000).toISOString()
  const date = /^\d{4}-\d{2}-\d{2}$/.test(text) ? new Date(text) : new Date(Number.NaN)
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString()
}
