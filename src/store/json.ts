/** JSON text for a jsonb column, without what PostgreSQL refuses there: NUL and lone surrogates. */
export function asJson(value: unknown): string {
  return JSON.stringify(value, (_, inner) =>
    typeof inner === 'string' ? inner.replaceAll('\0', '').toWellFormed() : inner,
  )
}
