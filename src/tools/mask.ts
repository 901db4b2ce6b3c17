/** Hides secrets wherever a value holds text. */

/** The same value, each text in it masked, however deep; names of fields stay as they are. */
export function maskAll<T>(value: T, mask: (text: string) => string): T {
  const hide = (part: unknown): unknown => {
    if (typeof part === 'string') return mask(part)
    if (Array.isArray(part)) return part.map(hide)
    if (typeof part !== 'object' || part === null) return part
    return Object.fromEntries(Object.entries(part).map(([key, inner]) => [key, hide(inner)]))
  }
  return hide(value) as T
}
