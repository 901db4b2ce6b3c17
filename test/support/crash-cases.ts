/** What is asked while processes die: cases of six kinds, the model that works on them, the people who decide. */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Workspace } from '../../src/demo/workspace/open.ts'
import type { Script } from './model-server.ts'
import { openRandom, type Random } from './random.ts'

/**
 * `plain` needs no tool, `noted` an allowed one. The others need one that asks first: it is `booked` with two
 * people's consent, `denied` by both, or `contested`; `both` proposes two calls at once.
 */
const KINDS = ['plain', 'noted', 'noted', 'booked', 'booked', 'both', 'denied', 'contested'] as const
export type Case = {
  n: number
  kind: (typeof KINDS)[number]
  channel: string
  asker: string
  /** Of the question. */
  ts: string
}

/** Asks the n-th question. */
export async function askCase(
  workspace: Workspace,
  random: Random,
  n: number,
  kind: Case['kind'] = random.pick(KINDS),
): Promise<Case> {
  const { users, channels } = workspace
  const channel = random.pick([channels.general, channels.ops])
  const asker = random.pick([users.ana, users.ben, users.chloe])
  const ts = await workspace.say(asker, channel, `@quorum case ${n} ${kind}`)
  return { n, kind, channel, asker, ts }
}

/** The tools and the rules of the home, and the ids under which a case goes on record. */
export const policy = {
  desk__note: { decision: 'allow' },
  desk__book: { decision: 'ask', approvers: ['requester', 'U0BEN'] },
}

/** A model without a memory: what it does follows from the messages alone, so it can be asked again at any time. */
export function caseModel(seed: number): Script {
  return ({ body }) => {
    const [, n = '', kind = ''] = /case (\d+) (\w+)/.exec(JSON.stringify(body.messages)) ?? []
    const random = openRandom(seed + Number(n))
    const paceMs = random.between(0, 60)
    const results = body.messages.flatMap((m) => (m.role === 'tool' ? [m.content] : []))
    if (results.length > 0 || kind === 'plain') {
      return { text: [`Case ${n} is closed. `, results.join(' ')], paceMs }
    }
    const delay = () => Math.round(random.between(0, 300))
    const call = (tool: 'note' | 'book') => ({
      id: `${tool}-${n}`,
      name: `desk__${tool}`,
      args: { id: `${tool}-${n}`, before: delay(), after: delay() },
    })
    const calls =
      kind === 'noted' ? [call('note')] : kind === 'both' ? [call('note'), call('book')] : [call('book')]
    return { calls, paceMs }
  }
}

/**
 * People who press buttons as soon as they see them: the asker and Ben, both twice, all at once. Where an outcome is
 * unknown the asker looks into `effects`, the tool's own record, and says what stands there.
 */
export function watchCards(
  workspace: Workspace,
  cases: readonly Case[],
  effects: string,
): { stop(): Promise<void>; pressed(): number } {
  const done = new AbortController()
  const seen = new Set<string>()
  const pressing: Promise<void>[] = []
  let pressed = 0

  async function press(at: { channel: string; ts: string }, user: string, choice: string): Promise<void> {
    while (!done.signal.aborted) {
      try {
        await workspace.click(user, at.channel, at.ts, choice)
        pressed += 1
        return
      } catch (error) {
        if (String(error).includes('no button')) return
        await sleep(300) // Nobody listened; a person tries again.
      }
    }
  }

  /** Tells what became of a call that nobody knows of; it may stand on a card that was pressed before. */
  function settle(one: Case, message: { ts: string; channel: string; blocks?: unknown }): void {
    const lost = `${message.ts} done`
    if (seen.has(lost) || !hasButton(message, 'done')) return
    seen.add(lost)
    const id = /"(?:note|book)-\d+/.exec(JSON.stringify(message.blocks).replaceAll('\\"', '"'))?.[0].slice(1)
    const ran = readFileSync(effects, 'utf8')
      .split('\n')
      .includes(id ?? '')
    for (let time = 0; time < 2; time++) pressing.push(press(message, one.asker, ran ? 'done' : 'not-done'))
  }

  function look(): void {
    for (const one of cases) {
      if (one.kind === 'plain') continue
      for (const message of workspace.messages(one.channel, one.ts)) {
        settle(one, message)
        if (seen.has(message.ts) || !hasButton(message, 'approve')) continue
        seen.add(message.ts)
        const mine = one.kind === 'denied' ? 'deny' : 'approve'
        const bens = one.kind === 'denied' || one.kind === 'contested' ? 'deny' : 'approve'
        for (const [user, choice] of [
          [one.asker, mine],
          [workspace.users.ben, bens],
        ] as const)
          for (let time = 0; time < 2; time++) pressing.push(press(message, user, choice))
      }
    }
  }

  const timer = setInterval(look, 100)
  return {
    pressed: () => pressed,
    async stop() {
      clearInterval(timer)
      done.abort()
      await Promise.all(pressing)
    },
  }
}

/** Whether a message has a button with this action. */
export function hasButton(message: { blocks?: unknown }, action: string): boolean {
  return JSON.stringify(message.blocks ?? []).includes(`"action_id":"${action}"`)
}
