/** Whether an argument of a call is as a rule's `when` says. Pure. */

import { hostOf, withinHosts } from './addresses.ts'
import { matches } from './pattern.ts'
import type { Condition } from './rules.ts'

/** `unclear`: the argument is missing, or of a kind the condition does not speak of; the rule decides what that means. */
export type Holds = 'yes' | 'no' | 'unclear'

type Scalar = string | number | boolean

/** Whether the argument at `path` (`a.b` is a member of a member) is so. Of a list every item must be. */
export function holds(condition: Condition, path: string, args: unknown): Holds {
  const found = memberAt(args, path.split('.'))
  if (isScalar(condition) || Array.isArray(condition))
    return ofEach(found, (value) => isOneOf(value, condition))
  const { given, ...rest } = condition
  const there = found !== undefined
  if (given !== undefined && given !== there) return 'no'
  const said = Object.entries(rest).filter(([, value]) => value !== undefined)
  if (said.length === 0) return 'yes'
  return ofEach(found, (value) => all([...tests(rest)].map((test) => test(value))))
}

function* tests(condition: Exclude<Condition, Scalar | unknown[]>): Generator<(value: unknown) => Holds> {
  const { like, not, min, max, host } = condition
  if (like !== undefined) {
    const patterns = Array.isArray(like) ? like : [like]
    yield (value) =>
      typeof value === 'string' ? yesNo(patterns.some((one) => matches(one, value))) : 'unclear'
  }
  if (not !== undefined) {
    const turned = { yes: 'no', no: 'yes', unclear: 'unclear' } as const
    yield (value) => turned[isOneOf(value, not)]
  }
  if (min !== undefined) yield (value) => (typeof value === 'number' ? yesNo(value >= min) : 'unclear')
  if (max !== undefined) yield (value) => (typeof value === 'number' ? yesNo(value <= max) : 'unclear')
  if (host !== undefined) {
    yield (value) => {
      const address = typeof value === 'string' ? hostOf(value) : undefined
      return address ? yesNo(withinHosts(address, host)) : 'unclear'
    }
  }
}

/** A list holds where every item does, and does not where none does. */
function ofEach(found: unknown, test: (value: unknown) => Holds): Holds {
  if (found === undefined) return 'unclear'
  if (!Array.isArray(found)) return test(found)
  const each = new Set(found.map(test))
  const [only] = each
  return each.size === 1 && only !== undefined ? only : 'unclear'
}

function isOneOf(value: unknown, wanted: Scalar | readonly Scalar[]): Holds {
  const list = isScalar(wanted) ? [wanted] : wanted
  if (!list.some((one) => typeof one === typeof value)) return 'unclear'
  return yesNo(list.some((one) => one === value))
}

function all(each: readonly Holds[]): Holds {
  if (each.includes('no')) return 'no'
  return each.includes('unclear') ? 'unclear' : 'yes'
}

function yesNo(true_: boolean): Holds {
  return true_ ? 'yes' : 'no'
}

function isScalar(value: unknown): value is Scalar {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
}

function memberAt(value: unknown, path: readonly string[]): unknown {
  let here = value
  for (const name of path) {
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, name)) return undefined
    here = (here as Record<string, unknown>)[name]
  }
  return here
}
