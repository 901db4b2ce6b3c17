/** One spelling for one JSON value, so that equal values have equal hashes. */

/** How deep a value may be nested. */
const MAX_DEPTH = 64

/**
 * The canonical JSON text of a value: no white space, members sorted by UTF-16 code units, numbers and
 * strings as ECMAScript writes them (RFC 8785). Members that are `undefined` are left out, as JSON does.
 *
 * @throws TypeError where the value is not JSON, RangeError where it is nested deeper than 64
 */
export function canonical(value: unknown): string {
  return write(value, 0)
}

/** Whether a value is nested deeper than {@link canonical} takes; safe for any depth. */
export function tooDeep(value: unknown): boolean {
  let layer: unknown[] = [value]
  for (let depth = 0; layer.length > 0; depth++) {
    if (depth > MAX_DEPTH) return true
    layer = layer.flatMap((v) => (typeof v === 'object' && v !== null ? Object.values(v) : []))
  }
  return false
}

function write(value: unknown, depth: number): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'number' && Number.isFinite(value)) return JSON.stringify(value)
  if (depth >= MAX_DEPTH && typeof value === 'object') throw new RangeError('JSON is nested too deeply')
  if (Array.isArray(value)) return `[${value.map((v) => write(v, depth + 1)).join(',')}]`
  if (typeof value !== 'object') throw new TypeError(`not a JSON value: ${typeof value}`)
  const members = Object.entries(value)
    .filter(([, v]) => v !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, v]) => `${JSON.stringify(key)}:${write(v, depth + 1)}`)
  return `{${members.join(',')}}`
}
