/** Values of a file together with the lines they stand on. */

/** The way from the top of a file to a value: keys of maps, indexes of lists. */
export type Path = readonly (string | number)[]

/** The content of a file. `errors` hold what keeps it from being read; `value` is then what could be read. */
export type Placed = {
  value: unknown
  /** The line of the key or item at `path`; where there is none, of the nearest one above it. */
  lineOf(path: Path): number
  errors: { line: number; what: string }[]
}

/** Collects the lines of values while a file is walked. */
export function recordLines(firstLine = 1): {
  put(path: Path, line: number): void
  lineOf: Placed['lineOf']
} {
  const lines = new Map<string, number>([['[]', firstLine]])
  return {
    put: (path, line) => lines.set(JSON.stringify(path), line),
    lineOf(path) {
      for (let length = path.length; length > 0; length--) {
        const line = lines.get(JSON.stringify(path.slice(0, length)))
        if (line !== undefined) return line
      }
      return lines.get('[]') ?? firstLine
    },
  }
}

/** The value at `path`, or undefined. */
export function valueAt(value: unknown, path: Path): unknown {
  let here: unknown = value
  for (const part of path) {
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, part)) return undefined
    here = (here as Record<string | number, unknown>)[part]
  }
  return here
}
