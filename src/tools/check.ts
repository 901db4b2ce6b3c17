/** Arguments against a tool's schema, before anything is shown to a person or sent to a server. */
import vm from 'node:vm'
import { Ajv, type AnySchemaObject, type ErrorObject, type ValidateFunction } from 'ajv'
import { Ajv2019 } from 'ajv/dist/2019.js'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { canonical, tooDeep } from '../core/canonical.ts'
import { sha256 } from './bind.ts'

/** `fields`: what is wrong with single arguments, by their names, in words for people. */
export type Checked = { ok: true } | { ok: false; why: string; fields?: ReadonlyMap<string, string> }

/** Time a schema may take to compile, and arguments to be checked, in milliseconds of the processor. */
const COMPILE_MS = 2_000
const CHECK_MS = 500
/** On a machine that does other things meanwhile the clock runs on: so often work is begun again. */
const TRIES = 4
const KEPT = 256

const compiled = new Map<string, ValidateFunction | string>()

/**
 * Checks arguments against a JSON Schema (2020-12, 2019-09 or draft-07, by `$schema`; 2020-12 without one).
 * Formats are not checked. `why` is written for a model that shall correct itself. Neither a broken nor a
 * hostile schema throws or blocks: what does not compile, or takes too long, is refused.
 */
export function checkArguments(schema: Record<string, unknown>, args: unknown): Checked {
  const value = args ?? {}
  if (typeof value === 'string') return refuse('The arguments are not valid JSON; send one JSON object.')
  if (typeof value !== 'object' || Array.isArray(value)) {
    return refuse('The arguments must be one JSON object.')
  }
  if (tooDeep(value)) return refuse('The arguments are nested too deeply.')
  const validate = compile(schema)
  if (typeof validate === 'string') return refuse(validate)
  const outcome = limit(() => validate(value), CHECK_MS)
  if (!outcome.ok) return refuse('The arguments take too long to check against the schema of this tool.')
  const errors = validate.errors ?? []
  return outcome.value ? { ok: true } : { ok: false, why: explain(errors, schema), fields: byField(errors) }
}

function refuse(why: string): Checked {
  return { ok: false, why }
}

/** The compiled schema, or why there is none. A fresh compiler each time: `$id`s of servers may collide. */
function compile(schema: Record<string, unknown>): ValidateFunction | string {
  if (tooDeep(schema)) return 'The schema of this tool is nested too deeply, so it cannot be called.'
  const key = sha256(canonical(schema))
  const known = compiled.get(key)
  if (known !== undefined) return known
  const outcome = limit(() => dialect(schema).compile(schema as AnySchemaObject), COMPILE_MS)
  const made = outcome.ok ? outcome.value : `The schema of this tool is not usable (${outcome.why}).`
  const oldest = compiled.size >= KEPT ? compiled.keys().next().value : undefined
  if (oldest !== undefined) compiled.delete(oldest)
  compiled.set(key, made)
  return made
}

function dialect(schema: Record<string, unknown>) {
  const options = {
    strict: false,
    allErrors: true,
    validateFormats: false,
    validateSchema: false,
    meta: false,
    inlineRefs: false,
    logger: false,
  } as const
  const named = String(schema.$schema ?? '')
  if (/draft-0[4-7]/.test(named)) return new Ajv(options)
  return /2019-09/.test(named) ? new Ajv2019(options) : new Ajv2020(options)
}

/** Runs `work` and ends it after `ms`: regular expressions and nested schemas of others can take for ever. */
function limit<T>(work: () => T, ms: number): { ok: true; value: T } | { ok: false; why: string } {
  for (let tries = 1; ; tries++) {
    const before = process.threadCpuUsage()
    try {
      return { ok: true, value: runWithin(work, ms) }
    } catch (error) {
      const { code, message } = error as Error & { code?: string }
      if (code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') return { ok: false, why: message.slice(0, 200) }
      const { user, system } = process.threadCpuUsage(before)
      if (tries === TRIES || (user + system) / 1_000 > ms / 2) return { ok: false, why: 'it takes too long' }
    }
  }
}

let inside: { work?: () => unknown } | undefined

/** One context for all: to make one takes longer than most checks. */
function runWithin<T>(work: () => T, ms: number): T {
  inside ??= vm.createContext({})
  inside.work = work
  try {
    return vm.runInContext('work()', inside, { timeout: ms }) as T
  } finally {
    delete inside.work
  }
}

/** Up to five complaints, each with the place and what would be right. */
function explain(errors: ErrorObject[], schema: Record<string, unknown>): string {
  const lines = [...new Set(errors.map((error) => complaint(error, schema)))]
  const more = lines.length > 5 ? ` (and ${lines.length - 5} more)` : ''
  return `The arguments do not fit the schema: ${lines.slice(0, 5).join('; ')}${more}.`.slice(0, 1_000)
}

/** The first complaint about each argument. */
function byField(errors: ErrorObject[]): Map<string, string> {
  const fields = new Map<string, string>()
  for (const error of errors) {
    const missing = error.keyword === 'required' && error.instancePath === ''
    const [, pointer = ''] = error.instancePath.split('/', 2)
    const name = missing
      ? String((error.params as { missingProperty?: unknown }).missingProperty)
      : pointer.replaceAll('~1', '/').replaceAll('~0', '~')
    if (name === '' || fields.has(name)) continue
    fields.set(name, missing ? 'This must be filled in.' : `This ${error.message ?? 'is wrong'}.`)
  }
  return fields
}

function complaint(error: ErrorObject, schema: Record<string, unknown>): string {
  const place = error.instancePath === '' ? 'the arguments' : error.instancePath
  const params = error.params as Record<string, unknown>
  switch (error.keyword) {
    case 'required':
      return `${place} must have "${params.missingProperty}"`
    case 'additionalProperties': {
      const known = error.instancePath === '' ? Object.keys(Object(schema.properties)).slice(0, 30) : []
      const hint = known.length > 0 ? ` (known: ${known.join(', ')})` : ''
      return `${place} must not have "${params.additionalProperty}"${hint}`
    }
    case 'enum':
      return `${place} must be one of ${JSON.stringify(params.allowedValues).slice(0, 300)}`
    case 'const':
      return `${place} must be ${JSON.stringify(params.allowedValue).slice(0, 300)}`
    default:
      return `${place} ${error.message ?? 'is wrong'}`.slice(0, 300)
  }
}
