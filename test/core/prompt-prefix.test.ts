/** A prompt only grows: what a server computed for one turn serves the next. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ChatMessage } from '../../src/core/chat.ts'
import { callState, decide } from '../../src/core/decide.ts'
import { buildPrompt, type Exchange } from '../../src/core/prompt.ts'
import type { Numbered, Step, StepOf } from '../../src/core/run.ts'

const at = '2026-05-02T10:00:00.000Z'
const later = '2026-05-03T10:00:00.000Z'
const limits = { maxTurns: 8, maxInvalid: 5 }

/** What chance decides at each point of a run. */
type Chance = { pick: (most: number) => number; text: () => string }
const chance: fc.Arbitrary<Chance> = fc
  .tuple(fc.infiniteStream(fc.nat(1_000)), fc.infiniteStream(fc.string({ maxLength: 40 })))
  .map(([numbers, texts]) => ({
    pick: (most) => (numbers.next().value ?? 0) % most,
    text: () => texts.next().value ?? '',
  }))

/** Plays a run as `advance` would, with people writing in between, and gives the prompt of every turn. */
function play(past: Exchange[], { pick, text }: Chance): ChatMessage[][] {
  const steps: Numbered[] = []
  const prompts: ChatMessage[][] = []
  let ids = 0
  let passages = 0
  const add = (...more: Step[]) => {
    for (const step of more) steps.push({ ...step, n: steps.length + 1 })
  }
  const steer = () => {
    if (pick(4) > 0) return
    const edit = pick(3) === 0 ? { edit: true } : {}
    const files = pick(2) === 0 ? { files: [{ id: 'F1', name: text() }] } : {}
    add({
      kind: 'steered',
      at,
      user: `U${pick(3)}`,
      text: text(),
      ts: `${steps.length}.2`,
      ...edit,
      ...files,
    })
  }
  add({
    kind: 'asked',
    at,
    user: 'U1',
    text: text(),
    ts: '1.1',
    before: pick(2) === 0,
    ...(pick(2) ? { language: 'de' } : {}),
  })
  for (let i = 0; i < 60; i += 1) {
    const next = decide(steps, limits, at)
    switch (next.do) {
      case 'read': {
        steer() // Somebody writes while it is read.
        const said = [{ from: 'U2', by: 'person' as const, ts: '1.0', text: text() }]
        const files = [{ name: text(), from: 'U2', ...(pick(2) === 0 ? { text: text() } : { why: text() }) }]
        add({ kind: 'read', at, of: next.of, ...(pick(2) === 0 ? { said } : {}), files, ms: 1 })
        break
      }
      case 'recall': {
        const found = Array.from({ length: pick(3) }, () => ({
          n: ++passages,
          passage: 'p',
          title: text(),
          heading: text(),
          text: text(),
        }))
        add({ kind: 'recalled', at, query: next.query, passages: found, sources: 1, ms: 1 })
        break
      }
      case 'ask-model': {
        prompts.push(buildPrompt({ instructions: 'Be kind.', past, steps }))
        const seen = steps.length
        steer() // Somebody writes while the model thinks.
        const calls = Array.from({ length: pick(3) }, () => ({
          id: `c${++ids}`,
          tool: 's__t',
          args: { a: text() },
        }))
        const finish = calls.length > 0 ? 'tool_calls' : 'stop'
        const measured = { model: 'm', promptHash: 'h', firstTokenMs: 1, ms: 1, attempts: 1 }
        add({ kind: 'answered', at, seen, text: text(), calls, finish, ...measured })
        add(...calls.map((call) => propose(call, pick)))
        break
      }
      case 'run-tool':
        add({ kind: 'started', at, call: next.call.id, tool: next.call.tool })
        steer()
        if (pick(8) > 0) add({ kind: 'returned', at, call: next.call.id, ...outcome(pick, text), ms: 1 })
        break
      case 'settle-unknown':
        add({ kind: 'returned', at, call: next.call.id, outcome: 'unknown', text: '', ms: 1 })
        break
      case 'expire':
        add({ kind: 'decided', at, approval: next.approval, outcome: 'expired' })
        break
      case 'wait':
        steer()
        add(...settle(steps, pick, text, () => `c${++ids}`))
        break
      default:
        return prompts
    }
    if (pick(6) === 0) steer()
  }
  return prompts
}

function propose(call: StepOf<'proposed'>['call'], pick: Chance['pick']): Step {
  const verdict = (['allow', 'ask', 'deny', 'invalid'] as const)[pick(4)] ?? 'allow'
  const approval =
    verdict === 'allow' || verdict === 'ask' ? { approval: `a ${call.id}`, expires: later } : {}
  return { kind: 'proposed', at, call, verdict, why: 'so', ...approval }
}

/** What became of a call that was started. */
function outcome(pick: Chance['pick'], text: Chance['text']) {
  const kind = (['succeeded', 'failed', 'unknown', 'input'] as const)[pick(4)] ?? 'failed'
  return { outcome: kind, text: text() }
}

/** A person, or the clock, ends the wait of the first call that waits. */
function settle(steps: Numbered[], pick: Chance['pick'], text: Chance['text'], id: () => string): Step[] {
  const isOpen = (s: Numbered) =>
    s.kind === 'proposed' && ['pending', 'unknown', 'input'].includes(callState(steps, s))
  const open = steps.find(isOpen)
  if (open?.kind !== 'proposed' || !open.approval) throw new Error('nothing waits')
  const { approval, call } = open
  const choices = {
    pending: ['approved', 'rejected', 'expired', 'void', 'counted', 'edited'],
    unknown: ['done', 'not-done', 'again', 'expired'],
    input: ['given', 'declined', 'expired'],
  } as const
  const among = choices[callState(steps, open) as keyof typeof choices]
  const decided = among[pick(among.length)] ?? 'expired'
  const step: Step = { kind: 'decided', at, approval, outcome: decided, why: text() }
  if (decided !== 'edited' && decided !== 'again') return [step]
  const replacing = propose({ ...call, id: id(), args: { a: text() } }, () => pick(2))
  const how = decided === 'edited' ? { editedBy: 'U2' } : {}
  return [step, { ...replacing, replaces: call.id, ...how } as Step]
}

const exchange = fc.record({
  user: fc.constantFrom('U1', 'U2'),
  question: fc.string({ maxLength: 3_000 }),
  answer: fc.string({ maxLength: 9_000 }),
})

test("turn n+1's prompt begins with turn n's, whatever happens in between", () => {
  let turns = 0
  fc.assert(
    fc.property(fc.array(exchange, { maxLength: 3 }), chance, (past, by) => {
      const prompts = play(past, by)
      turns += Math.max(0, prompts.length - 1)
      for (const [i, prompt] of prompts.entries()) {
        const before = prompts[i - 1]
        if (before) expect(prompt.slice(0, before.length)).toEqual(before)
      }
    }),
    { numRuns: 300 },
  )
  expect(turns).toBeGreaterThan(300)
})

test('what an earlier run of the thread began with, the next one begins with, but for a step now and then', () => {
  const head = (past: Exchange[]) =>
    buildPrompt({
      instructions: 'Be kind.',
      past,
      steps: [{ kind: 'asked', at, user: 'U1', text: 'so?', ts: '1.1', n: 1 }],
    }).slice(0, -1)
  fc.assert(
    fc.property(fc.array(exchange, { minLength: 8, maxLength: 19 }), (all) => {
      const heads = all.map((_, i) => head(all.slice(0, i + 1)))
      const breaks = heads.filter((one, i) => {
        const before = heads[i - 1] ?? []
        return JSON.stringify(one.slice(0, before.length)) !== JSON.stringify(before)
      })
      const size = all.reduce((sum, e) => sum + e.question.length + e.answer.length, 0)
      // Each break lets go of at least half of what is held; but for single exchanges larger than that.
      expect(breaks.length).toBeLessThanOrEqual(Math.ceil(size / 12_000))
    }),
    { numRuns: 100 },
  )
})

test('in which language a person is answered changes nothing before their question', () => {
  const past = [{ user: 'U1', question: 'a?', answer: 'b.' }]
  const [plain, german, greek] = [undefined, 'de', 'el'].map((language) => {
    const asked: Numbered = {
      n: 1,
      kind: 'asked',
      at,
      user: 'U1',
      text: 'how?',
      ts: '1.1',
      ...(language ? { language } : {}),
    }
    return buildPrompt({ instructions: 'Be kind.', past, steps: [asked] })
  })
  expect(german?.slice(0, -1)).toEqual(plain?.slice(0, -1))
  expect(german?.at(-1)?.content).toBe(
    `${plain?.at(-1)?.content}\nAnswer in German, unless the message asks for another language.`,
  )
  expect(greek?.at(-1)?.content).toContain('Answer in Greek')
})
