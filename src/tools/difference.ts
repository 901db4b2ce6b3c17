/** What changed in a tool's definition, for people who accept it. */
import type { Definition } from '../core/lock.ts'

/** One value of a definition, before and after; undefined where it was or is not there. `part` says where it stands. */
export type Difference = { part: string; before: string | undefined; after: string | undefined }

const PARTS = ['title', 'description', 'inputSchema', 'outputSchema', 'annotations'] as const

/**
 * Every value of a definition that differs, whole, by where it stands (`inputSchema.properties.to.type`); all of them
 * where one side is missing. Characters that could hide something are shown as escapes.
 */
export function differences(before: Definition | undefined, after: Definition | undefined): Difference[] {
  const [old, now] = [valuesOf(before), valuesOf(after)]
  const parts = [...new Set([...old.keys(), ...now.keys()])]
  return parts.flatMap((part) => {
    const [before, after] = [old.get(part), now.get(part)]
    return before === after ? [] : [{ part: reveal(part), before: shown(before), after: shown(after) }]
  })
}

function shown(value: string | undefined): string | undefined {
  return value === undefined ? undefined : reveal(value)
}

/** Every text that a server wrote into a definition: its words, and the names and words in its schemas. */
export function textsOf(definition: Definition | undefined): string[] {
  return PARTS.flatMap((part) => [...walk(definition?.[part], [part])]).flatMap(([path, value]) =>
    typeof value === 'string' ? [...path.slice(1), value] : path.slice(1),
  )
}

function valuesOf(definition: Definition | undefined): Map<string, string> {
  const found = new Map<string, string>()
  for (const part of PARTS)
    for (const [path, value] of walk(definition?.[part], [part])) {
      const own = typeof value === 'string' && path.length === 1
      found.set(place(path), own ? value : JSON.stringify(value))
    }
  return found
}

/** The values at the ends of a JSON value, keys in their order. */
function* walk(value: unknown, path: string[]): Generator<[string[], unknown]> {
  if (value === undefined) return
  const isWhole = typeof value !== 'object' || value === null
  const entries = isWhole ? [] : Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  if (entries.length === 0) yield [path, value]
  else for (const [key, one] of entries) yield* walk(one, [...path, key])
}

/** Where a value stands; different places are never written alike. */
function place(path: readonly string[]): string {
  return path.map((key) => (/^[A-Za-z0-9_$-]+$/.test(key) ? key : JSON.stringify(key))).join('.')
}

/** Every character that could hide something, shown as an escape; what was written as one has its backslash twice. */
export function reveal(text: string): string {
  return text
    .toWellFormed()
    .replace(/\\(?=u[0-9a-f]{4})/g, '\\\\')
    .replace(/(?![\n ])[\p{Cc}\p{Cf}\p{DI}\p{Zl}\p{Zp}\p{Zs}]/gu, (character) =>
      [...character.split('')]
        .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
        .join(''),
    )
}
