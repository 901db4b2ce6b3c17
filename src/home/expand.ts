/** `${NAME}`: values that come from the environment. */
import type { Path, Placed } from './placed.ts'

type Environment = Record<string, string | undefined>

const REFERENCE = /\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g

/** What may be secret stays as it is written, and is replaced where it is used. */
const SECRET = new Set<unknown>(['env', 'headers', 'clientSecret'])

/**
 * Replaces `${NAME}` in every text of a file, except in a `clientSecret` and below `env` and `headers`.
 *
 * @returns the file with its values replaced, and a sentence for every name that is not set or is empty
 */
export function expandFile(
  placed: Placed,
  env: Environment,
): { placed: Placed; problems: { line: number; what: string }[] } {
  const problems: { line: number; what: string }[] = []
  const replace = (text: string, path: Path): string => {
    const expanded = text.replace(REFERENCE, (written, name: string) => {
      if (!env[name])
        problems.push({ line: placed.lineOf(path), what: `${name} is not set in the environment` })
      return env[name] || written
    })
    return path.some((part) => SECRET.has(part)) ? text : expanded
  }
  const walk = (value: unknown, path: Path): unknown => {
    if (typeof value === 'string') return replace(value, path)
    if (typeof value !== 'object' || value === null || path.length > 20) return value
    if (Array.isArray(value)) return value.map((item, index) => walk(item, [...path, index]))
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, walk(item, [...path, key])]))
  }
  return { placed: { ...placed, value: walk(placed.value, []) }, problems }
}
