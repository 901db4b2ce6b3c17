/** Times, in the reader's own language and zone. */

const style = (options) => new Intl.DateTimeFormat(undefined, options)
const clock = style({ hour: 'numeric', minute: '2-digit' })
const seconds = style({ hour: 'numeric', minute: '2-digit', second: '2-digit' })
const numeric = style({ year: 'numeric', month: '2-digit', day: '2-digit' })
const short = style({ year: 'numeric', month: 'short', day: 'numeric' })
const medium = style({ year: 'numeric', month: 'long', day: 'numeric' })
const long = style({ weekday: 'long', year: 'numeric', month: 'long', day: 'numeric' })
const full = style({ dateStyle: 'full', timeStyle: 'medium' })

/** A Slack ts (`seconds.sequence`) as a Date. */
export const dateOf = (ts) => new Date(Number.parseFloat(ts) * 1000)
export const clockTime = (ts) => clock.format(dateOf(ts))
export const fullTime = (ts) => full.format(dateOf(ts))

/** `Today`, `Yesterday`, or the whole date. */
export function dayName(date, otherwise = long) {
  const days = Math.round((startOfDay(new Date()) - startOfDay(date)) / 86_400_000)
  if (days === 0) return 'Today'
  if (days === 1) return 'Yesterday'
  if (days === -1) return 'Tomorrow'
  return otherwise.format(date)
}

const startOfDay = (date) => new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime()

/** `in 2 hours`, `3 minutes ago`. */
export function ago(date) {
  const words = new Intl.RelativeTimeFormat(undefined, { numeric: 'auto' })
  const away = (date.getTime() - Date.now()) / 1000
  for (const [unit, size] of [
    ['day', 86_400],
    ['hour', 3600],
    ['minute', 60],
  ]) {
    if (Math.abs(away) >= size) return words.format(Math.round(away / size), unit)
  }
  return words.format(Math.round(away), 'second')
}

const lower = (date, otherwise) => {
  const name = dayName(date, otherwise)
  return /^(Today|Yesterday|Tomorrow)$/.test(name) ? name.toLowerCase() : name
}

const TOKENS = new Map(
  Object.entries({
    date_num: (date) => numeric.format(date),
    date: (date) => medium.format(date),
    date_slash: (date) => numeric.format(date),
    date_short: (date) => short.format(date),
    date_long: (date) => long.format(date),
    date_pretty: (date) => lower(date, medium),
    date_short_pretty: (date) => lower(date, short),
    date_long_pretty: (date) => lower(date, long),
    day_divider_pretty: (date) => lower(date, long),
    time: (date) => clock.format(date),
    time_secs: (date) => seconds.format(date),
    ago: (date) => ago(date),
  }),
)

/** Slack's date format string, such as `{date_short_pretty} at {time}`; `timestamp` in seconds. */
export function formatDate(timestamp, format, fallback) {
  const date = new Date(Number(timestamp) * 1000)
  if (Number.isNaN(date.getTime())) return fallback ?? String(timestamp)
  return String(format ?? '{date}').replace(/\{(\w+)\}/g, (whole, name) => TOKENS.get(name)?.(date) ?? whole)
}
