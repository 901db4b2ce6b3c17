/** `run server__tool {…}`: a call that a person asks for themselves; and what there is to run. */
import { randomUUID } from 'node:crypto'
import type { CatalogueTool } from '../../core/catalogue.ts'
import { type Direct, readDirect } from '../../core/command.ts'
import { judge, offeredOutside } from '../../core/policy.ts'
import type { Policy } from '../../core/rules.ts'
import type { ToolCall } from '../../core/run.ts'
import { hint } from '../../home/nearest.ts'
import { checkArguments } from '../../tools/check.ts'

/** The call, where the tool was accepted and the arguments fit it; else one sentence for whoever asked. */
function callOf(direct: Direct, accepted: readonly CatalogueTool[]): ToolCall | string {
  const tool = accepted.find(
    (one) => one.name === direct.tool || `${one.server}__${one.tool}` === direct.tool,
  )
  if (!tool) {
    const near = hint(
      direct.tool,
      accepted.map(({ name }) => name),
    )
    return `There is no tool ${direct.tool}${near || '.'} \`/quorum tools\` lists them.`
  }
  const checked = checkArguments(tool.inputSchema, direct.args)
  return checked.ok ? { id: randomUUID(), tool: tool.name, args: direct.args } : checked.why
}

/** The call that a text asks for, a sentence why it cannot be made, or undefined where it asks for something else. */
export function readCall(accepted: readonly CatalogueTool[], text: string): ToolCall | string | undefined {
  const direct = readDirect(text)
  return typeof direct === 'object' ? callOf(direct, accepted) : direct
}

const MOST = 40
const DOES = { read: 'reads', egress_read: 'reads from outside', write: 'changes something' }
const THEN = { allow: 'runs at once', ask: 'asks first', deny: 'never runs' }

/**
 * Every accepted tool, what it does, and what happens on a call by this person in this channel, a line each. `outside`:
 * people of other organisations can read there; what is withheld from them is counted and not named.
 */
export function tellTools(
  policy: Policy,
  accepted: readonly CatalogueTool[],
  of: { user: string; channel: string; agent: string; outside: boolean },
): string {
  if (accepted.length === 0) return 'No tool was accepted yet.'
  const { channel, agent, outside } = of
  const here = accepted.filter((tool) => !outside || offeredOutside(policy, tool, { channel, agent }))
  const where = { asker: of.user, channel, agent, outside, taint: [], words: [] }
  const lines = here.slice(0, MOST).map((tool) => {
    const { effect, verdict } = judge(policy, { tool, args: {}, ...where })
    const unless =
      verdict === 'allow' && effect !== 'read' ? ', but asks once I have read what others wrote' : ''
    return `• ${tool.name}: ${DOES[effect]}, ${THEN[verdict]}${unless}`
  })
  if (here.length > MOST) lines.push(`… and ${here.length - MOST} more.`)
  const withheld = accepted.length - here.length
  if (withheld > 0) lines.push(tellWithheld(withheld))
  return lines.join('\n')
}

function tellWithheld(count: number): string {
  const tools = count === 1 ? '1 tool is' : `${count} tools are`
  return `${tools} withheld here: people of another organisation can read this channel, and no rule says connect: allow.`
}
