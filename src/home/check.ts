/** A file's value against its schema, every difference as a sentence with its line. */
import { z } from 'zod'
import { hint, nearest } from './nearest.ts'
import { type Path, type Placed, valueAt } from './placed.ts'

type Issue = z.core.$ZodIssue
type Finding = { path: Path; what: string }

/**
 * Checks what was read against the schema of the file.
 *
 * @returns the value with its defaults, or sentences and their lines, at least one
 */
export function checkFile<S extends z.ZodType>(
  schema: S,
  placed: Placed,
): { ok: true; value: z.infer<S> } | { ok: false; problems: { line: number; what: string }[] } {
  const result = schema.safeParse(placed.value)
  if (result.success) return { ok: true, value: result.data }
  const known = knownKeys(schema)
  const findings = result.error.issues.flatMap((issue) => explain(issue, [], placed.value, known))
  return { ok: false, problems: findings.map(({ path, what }) => ({ line: placed.lineOf(path), what })) }
}

/** The keys a schema allows at a path, over all the shapes the value may have there. */
function knownKeys(schema: z.ZodType): (path: Path) => string[] {
  type Shape = z.core.JSONSchema.BaseSchema
  const top = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Shape
  const shapes = (shape: Shape): Shape[] => [
    shape,
    ...(shape.anyOf ?? []).flatMap((one) => shapes(one as Shape)),
  ]
  return (path) => {
    let here = shapes(top)
    for (const part of path) {
      const below = here.map((one) =>
        typeof part === 'number' ? one.items : (one.properties?.[part] ?? one.additionalProperties),
      )
      here = below.filter((one) => typeof one === 'object').flatMap((one) => shapes(one as Shape))
    }
    return [...new Set(here.flatMap((one) => Object.keys(one.properties ?? {})))]
  }
}

/** One issue of zod as our findings; `base` is where the value it speaks of stands in the file. */
function explain(issue: Issue, base: Path, value: unknown, known: (path: Path) => string[]): Finding[] {
  const path: Path = [...base, ...issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))]
  if (issue.code === 'unrecognized_keys') {
    const all = known(path)
    const free = all.filter((key) => valueAt(value, [...path, key]) === undefined)
    return issue.keys.map((key) => ({
      path: [...path, key],
      what: all.includes(key)
        ? `the key "${key}" does not fit with the other keys here`
        : `unknown key "${key}"${hint(key, free) || expecting(all)}`,
    }))
  }
  if (issue.code === 'invalid_union') return explainUnion(issue, path, value, known)
  const name = nameOf(path)
  if (issue.code === 'invalid_key') {
    return [{ path, what: `the key "${path.at(-1)}" must be ${issue.issues[0]?.message ?? 'a known key'}` }]
  }
  const found = valueAt(value, path)
  if (found === undefined && path.length === 0)
    return [{ path, what: `the file is empty${expecting(known([]))}` }]
  if (found === undefined) {
    const similar = slips(path.slice(0, -1), value, known)
    return similar.has(String(path.at(-1))) ? [] : [{ path: path.slice(0, -1), what: `missing key ${name}` }]
  }
  return [{ path, what: `${name} must be ${wanted(issue)}${butFound(issue, path, found)}` }]
}

/** Of several shapes, the one the value comes closest to speaks; where it is none of them, all are named. */
function explainUnion(
  issue: Extract<Issue, { code: 'invalid_union' }>,
  path: Path,
  value: unknown,
  known: (path: Path) => string[],
): Finding[] {
  const here = valueAt(value, path)
  const fitting = issue.errors.filter((issues) => !issues.some(aboutItself))
  if (here === undefined || fitting.length === 0) {
    const first = issue.errors.flat().find(aboutItself)
    const expectations = [...new Set(issue.errors.flat().filter(aboutItself).map(wanted))]
    if (here === undefined) return explain({ ...(first ?? issue), path: [] } as Issue, path, value, known)
    const options = issue.errors
      .flat()
      .flatMap((inner) => (inner.code === 'invalid_value' ? inner.values.map(String) : []))
    const found = typeof here === 'string' ? hint(here, options) : ''
    return [
      { path, what: `${nameOf(path)} must be ${expectations.join(' or ')}, not ${kindOf(here)}${found}` },
    ]
  }
  const [best] = fitting
    .map((issues) => ({ issues, cost: strangeness(issues, here), count: issues.length }))
    .toSorted((a, b) => a.cost - b.cost || a.count - b.count)
  return (best?.issues ?? []).flatMap((inner) => explain(inner, path, value, known))
}

const aboutItself = (issue: Issue) => issue.path.length === 0 && issue.code !== 'unrecognized_keys'

/** How many of its own keys a value would have to gain, lose or change to have this shape. */
function strangeness(issues: Issue[], here: unknown): number {
  const missing = issues
    .filter((issue) => issue.path.length === 1 && valueAt(here, issue.path as Path) === undefined)
    .map((issue) => String(issue.path[0]))
  const strange = issues.flatMap((issue) => (issue.code === 'unrecognized_keys' ? issue.keys : []))
  const slipped = strange.filter((key) => nearest(key, missing) !== undefined)
  const wrong = issues.filter((issue) => issue.path.length === 1).length
  return strange.length + wrong - slipped.length * 1.5
}

/** The known keys that stand in a map under a slip of the fingers: they are not reported as missing too. */
function slips(path: Path, value: unknown, known: (path: Path) => string[]): Set<string> {
  const here = valueAt(value, path)
  const keys = typeof here === 'object' && here !== null ? Object.keys(here) : []
  const free = known(path).filter((key) => !keys.includes(key))
  const strange = keys.filter((key) => !known(path).includes(key))
  return new Set(strange.map((key) => nearest(key, free)).filter((key) => key !== undefined))
}

/** What zod wanted, as the words after "must be". Our own messages begin with a lower-case letter. */
function wanted(issue: Issue): string {
  if (/^[a-z]/.test(issue.message)) return issue.message
  if (issue.code === 'invalid_value') return issue.values.map((one) => `"${String(one)}"`).join(' or ')
  if (issue.code === 'invalid_type') return KINDS[issue.expected] ?? issue.expected
  if (issue.code === 'too_small') return `at least ${issue.minimum}${UNITS[issue.origin] ?? ''}`
  if (issue.code === 'too_big') return `at most ${issue.maximum}${UNITS[issue.origin] ?? ''}`
  return `right (${issue.message})`
}

const UNITS: Record<string, string> = { string: ' characters', array: ' items' }

const KINDS: Record<string, string> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'keys with values',
  record: 'keys with values',
}

function kindOf(value: unknown): string {
  if (value === null) return 'empty'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'keys with values'
  if (typeof value === 'string') return 'text'
  return typeof value === 'number' ? 'a number' : 'true or false'
}

/** What stands there instead. Values are shown only where they cannot be secret. */
function butFound(issue: Issue, path: Path, found: unknown): string {
  if (issue.code === 'invalid_type') {
    if (typeof found === 'number' && issue.expected === 'int') return `, not ${found}`
    const unquoted = wanted(issue) === KINDS.string && ['number', 'boolean'].includes(typeof found)
    return `, not ${kindOf(found)}${unquoted ? ' (put it in quotes)' : ''}`
  }
  const secret = path.some((part) =>
    ['key', 'env', 'headers', 'url', 'replicas', 'args', 'clientId', 'clientSecret'].includes(String(part)),
  )
  if (typeof found === 'number') return `, not ${found}`
  if (secret || typeof found !== 'string') return ''
  const options = issue.code === 'invalid_value' ? issue.values.map(String) : []
  return `, not ${JSON.stringify(found.slice(0, 40))}${hint(found, options)}`
}

const nameOf = (path: Path) =>
  path.length === 0
    ? 'the file'
    : `"${path.map((part, index) => (typeof part === 'number' ? `[${part + 1}]` : `${index === 0 ? '' : '.'}${part}`)).join('')}"`

const expecting = (keys: string[]) =>
  keys.length === 0
    ? ''
    : `; known ${keys.length === 1 ? 'is' : 'are'} ${keys.map((key) => `"${key}"`).join(', ')}`
