/** JSON text for a jsonb column, without what PostgreSQL refuses there: NUL and lone surrogates. */
export function asJson(value: unknown): string {
  return JSON.stringify(value, (_, inner) => {
    if (typeof inner === 'string') return storable(inner)
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner
    const keys = Object.keys(inner)
    if (keys.every((key) => storable(key) === key)) return inner
    return Object.fromEntries(keys.map((key) => [storable(key), inner[key]]))
  })
}

function storable(text: string): string {
  return text.replaceAll('\0', '').toWellFormed()
}
