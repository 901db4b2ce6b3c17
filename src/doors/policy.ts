/** `quorum policy explain` and `quorum policy check`: what the policy says of a call, without making it. */
import { parseArgs } from 'node:util'
import type { CatalogueTool } from '../core/catalogue.ts'
import { Fault } from '../core/fault.ts'
import type { Home } from '../core/home.ts'
import { type Judgement, judge } from '../core/policy.ts'
import { checkArguments } from '../tools/check.ts'
import { catalogueOf } from '../tools/pins.ts'

type Context = { home: () => Promise<Home>; print: (line: string) => void }

const POLICY_USAGE = `quorum policy explain SERVER__TOOL ['{"arguments": …}'] [--user U…] [--channel C…] [--agent NAME] [--tainted] [--shared] [--words "…"]
quorum policy check`

/** Answers the exit code: of `check` 1 where the home has a problem, of `explain` 1 where the call would never be made. */
export async function policyDoor(args: string[], context: Context): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      user: { type: 'string', default: 'U0REQUESTER' },
      channel: { type: 'string', default: 'C0' },
      agent: { type: 'string' },
      tainted: { type: 'boolean', default: false },
      shared: { type: 'boolean', default: false },
      words: { type: 'string', default: '' },
    },
  })
  const [word, name, json = '{}', ...more] = positionals
  if (word === 'check' && name === undefined) return check(context)
  if (word !== 'explain' || name === undefined || more.length > 0) {
    context.print(`Usage: ${POLICY_USAGE}`)
    return 2
  }
  const home = await context.home()
  const tool = findTool(home, name)
  const given = readArguments(json)
  const fits = checkArguments(tool.inputSchema, given)
  if (!fits.ok) {
    context.print(`invalid: ${fits.why}`)
    return 1
  }
  const judged = judge(home.policy, {
    tool,
    args: given,
    asker: values.user,
    channel: values.channel,
    agent: values.agent ?? home.agents[0]?.name ?? '',
    outside: values.shared,
    taint: values.tainted ? [{ from: 'passages' }] : [],
    words: values.words === '' ? [] : [values.words],
  })
  for (const line of explain(judged)) context.print(line)
  return judged.verdict === 'deny' ? 1 : 0
}

async function check({ home, print }: Context): Promise<number> {
  const { policy, lock } = await home()
  const rules = [policy, ...Object.values(policy.channels), ...Object.values(policy.agents)]
    .flatMap(({ tools }) => Object.values(tools))
    .reduce((sum, list) => sum + list.length, 0)
  print(`The policy is right: ${rules === 1 ? '1 rule' : `${rules} rules`}.`)
  if (!lock) print('No tool was accepted yet, so no rule could be held against one: quorum tools accept')
  return 0
}

function findTool(home: Home, name: string): CatalogueTool {
  const all = catalogueOf(home.lock)
  const found = all.find((tool) => tool.name === name || `${tool.server}__${tool.tool}` === name)
  if (found) return found
  const [server = '', tool = ''] = name.split('__', 2)
  if (!Object.hasOwn(home.servers, server) || tool === '') {
    const known = all.length > 0 ? ` Accepted are: ${all.map((one) => one.name).join(', ')}.` : ''
    throw new Fault('config-invalid', `There is no tool ${name}.${known}`)
  }
  throw new Fault(
    'config-invalid',
    `${name} was not accepted, so it is never called. To accept it: quorum tools accept ${server}`,
  )
}

function readArguments(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    throw new Fault('config-invalid', 'The arguments are not JSON; put them in single quotes.')
  }
}

/** The judgement and everything that took part, a line each. */
export function explain(judged: Judgement): string[] {
  const { verdict, why, effect, output, approvers, need, selfApprove, expiresMs, remember } = judged
  const lines = [`${verdict}: ${why}`, `effect ${effect}, output ${output}`]
  if (verdict === 'ask') {
    const people = approvers.map((list) => list.join(' or ')).join(', and also ')
    const several = need > 1 ? `, ${need} different people` : ''
    const self = selfApprove ? '' : ', never whoever asked'
    lines.push(`may approve: ${people}${several}${self}; within ${tellTime(expiresMs)}`)
    if (remember) lines.push(`remembered for the same call: ${remember.scope}, ${tellTime(remember.ttlMs)}`)
  }
  for (const [key, value] of Object.entries(judged.limits)) lines.push(`limit ${key}: ${value}`)
  lines.push('What took part:')
  for (const { layer, name, says } of judged.parts)
    lines.push(`  ${layer.padEnd(10)} ${name.padEnd(28)} ${says}`)
  return lines
}

function tellTime(ms: number): string {
  const [size, unit] =
    ms % 86_400_000 === 0 ? [86_400_000, 'd'] : ms % 3_600_000 === 0 ? [3_600_000, 'h'] : [60_000, 'm']
  return ms < 60_000 ? `${ms / 1000}s` : `${ms / size}${unit}`
}
