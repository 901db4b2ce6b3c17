/**
 * Small checks for Block Kit's JSON, put together into the rules of each block. A check reports
 * what is wrong with a value and where, in the words Slack uses.
 */

export type Problem = { pointer: string; message: string }
export type Check = (value: unknown, pointer: string, report: (problem: Problem) => void) => void

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A string of `min` to `max` characters. */
export function string(max: number, min = 0): Check {
  return (value, pointer, report) => {
    if (typeof value !== 'string') return report({ pointer, message: 'must provide a string' })
    if (value.length > max) report({ pointer, message: `must be less than ${max + 1} characters` })
    if (value.length < min) report({ pointer, message: `must be more than ${min - 1} characters` })
  }
}

export function boolean(): Check {
  return (value, pointer, report) => {
    if (typeof value !== 'boolean') report({ pointer, message: 'must provide a boolean' })
  }
}

/** A whole number or a fraction between two bounds, both allowed. */
export function number(min: number, max: number): Check {
  return (value, pointer, report) => {
    if (typeof value !== 'number') return report({ pointer, message: 'must provide a number' })
    if (value < min || value > max) report({ pointer, message: `must be between ${min} and ${max}` })
  }
}

export function oneOf(...allowed: string[]): Check {
  return (value, pointer, report) => {
    if (!allowed.includes(String(value))) {
      report({ pointer, message: `must be a valid enum value: ${allowed.join(', ')}` })
    }
  }
}

export function list(item: Check, max: number, min = 0): Check {
  return (value, pointer, report) => {
    if (!Array.isArray(value)) return report({ pointer, message: 'must provide an array' })
    if (value.length > max) report({ pointer, message: `no more than ${max} items allowed` })
    if (value.length < min) report({ pointer, message: `must have at least ${min} items` })
    value.forEach((entry, index) => {
      item(entry, `${pointer}/${index}`, report)
    })
  }
}

/** An object with exactly these fields; a key ending in `?` may be missing. */
export function object(fields: Record<string, Check>): Check {
  const rules = new Map(
    Object.entries(fields).map(([key, check]) => [
      key.replace(/\?$/, ''),
      { check, optional: key.endsWith('?') },
    ]),
  )
  return (value, pointer, report) => {
    if (!isObject(value)) return report({ pointer, message: 'must provide an object' })
    for (const [key, { check, optional }] of rules) {
      if (value[key] !== undefined) check(value[key], `${pointer}/${key}`, report)
      else if (!optional) report({ pointer, message: `missing required field: ${key}` })
    }
    for (const key of Object.keys(value)) {
      if (!rules.has(key)) report({ pointer, message: `invalid additional property: ${key}` })
    }
  }
}

/** An object whose `type` chooses its rules. The choice is made when a value is checked. */
export function byType(rules: () => Record<string, Check>): Check {
  return (value, pointer, report) => {
    const type = isObject(value) ? value.type : undefined
    if (typeof type !== 'string') return report({ pointer, message: 'missing required field: type' })
    const table = rules()
    const check = Object.hasOwn(table, type) ? table[type] : undefined
    if (!check) return report({ pointer: `${pointer}/type`, message: `unsupported type: ${type}` })
    check(value, pointer, report)
  }
}

/** Both checks. */
export function also(first: Check, second: Check): Check {
  return (value, pointer, report) => {
    first(value, pointer, report)
    second(value, pointer, report)
  }
}

/** Anything at all, for parts nothing here looks into. */
export const anything: Check = () => {}
