/** Answers a question with the passages' own sentences. */
import type { Passage } from './read.ts'
import { splitUnits, type Unit } from './split.ts'
import { stems } from './words.ts'

type Candidate = Unit & { passage: Passage; order: number; score: number }

const MOST_UNITS = 4
const MOST_STEPS = 10
/** Where a passage speaks of less than this part of the question, it is about something else. */
const ENOUGH = 0.34
const WANTS_STEPS =
  /^\W*(\w+\W+){0,3}how (do|does|can|should|to|would)\b|\b(steps|procedure|checklist|runbook)\b/i

const ASKS = /\?|^\W*(who|whom|whose|what|when|where|why|which|is|are|can|does|do|show|tell|find|list|get)\b/i
/** What the answer to a kind of question looks like. */
const LOOKS = [
  { asks: /\bwho(m|se)?\b/i, like: /\b\p{Lu}\p{L}+ \p{Lu}\p{L}+/u },
  { asks: /\b(when|how (long|many|much|often|fast|late)|what time|which date)\b/i, like: /\d/ },
]

const DEFINES = /^\W*what(?:['’]s| is| are| does)\s+(?:an? |the )?(.+?)(?: mean| do| stand for)?\W*$/i

/** The answer in Markdown with `[n]` behind what it quotes; undefined when the passages say nothing on it. */
export function quote(question: string, passages: Passage[], today: string): string | undefined {
  const wanted = [...new Set(stems(question))]
  const wantsSteps = WANTS_STEPS.test(question) || !ASKS.test(question)
  const ranked = passages
    .map((passage, place) => ({ passage, ...relevance(wanted, passage, place, wantsSteps) }))
    .filter((each) => each.coverage >= ENOUGH)
    .sort((a, b) => b.score - a.score)
  const top = ranked[0]
  if (!top) return undefined
  const weights = rarity(wanted, passages)
  const term = stems(DEFINES.exec(question)?.[1] ?? '').join(' ')
  const look = LOOKS.find(({ asks }) => asks.test(question))?.like
  const candidates = ranked.flatMap(({ passage, score }, place) =>
    splitUnits(passage.text, question, today).map((unit, order) => {
      const share = place === 0 ? 1 : 0.7 * (score / top.score)
      const defines = term !== '' && stems(unit.text).join(' ').startsWith(term)
      const fits = look?.test(unit.text) ? 1.5 : defines ? 2.5 : 1
      const found = worth(unit, passage.title, weights, wantsSteps && place === 0)
      const steps = unit.kind === 'steps' ? (wantsSteps ? 3 : 0.4) : 1
      return { ...unit, passage, order, score: found * share * fits * steps * (unit.pointer ? 0.4 : 1) }
    }),
  )
  const chosen = choose(candidates, wantsSteps)
  return chosen.length === 0 ? undefined : tell(chosen)
}

/** How much of the question a passage speaks of; its title and its place among the recalled count too. */
function relevance(wanted: string[], passage: Passage, place: number, wantsSteps: boolean) {
  const inTitle = new Set(stems(passage.title))
  const inText = new Set(stems(passage.text))
  const count = Math.max(1, wanted.length)
  const coverage = wanted.filter((word) => inTitle.has(word) || inText.has(word)).length / count
  const titled = wanted.filter((word) => inTitle.has(word)).length / count
  const howTo = wantsSteps && /\bhow to\b/i.test(passage.title) ? 0.4 : 0
  return { coverage, score: coverage + 0.5 * titled + 0.3 / (place + 1) + howTo }
}

/** A word that few passages hold tells more than one that all of them hold. */
function rarity(wanted: string[], passages: Passage[]): Map<string, number> {
  const texts = passages.map((passage) => new Set(stems(`${passage.title} ${passage.text}`)))
  return new Map(
    wanted.map((word) => {
      const holding = texts.filter((text) => text.has(word)).length
      return [word, holding === 0 ? 0 : Math.log(1 + texts.length / holding)]
    }),
  )
}

/** A word of the title counts a little for all below it, and steps under the best title need none of their own. */
function worth(unit: Unit, title: string, weights: Map<string, number>, isAnswer: boolean): number {
  const words = new Set(stems(unit.text))
  const above = new Set(stems(title))
  let sum = 0
  for (const [word, weight] of weights) sum += words.has(word) ? weight : above.has(word) ? 0.35 * weight : 0
  if (unit.kind === 'steps') return sum + (isAnswer ? 0.5 : 0)
  return sum * Math.min(1, 30 / Math.max(1, words.size))
}

function choose(candidates: Candidate[], wantsSteps: boolean): Candidate[] {
  const ranked = candidates.filter((each) => each.score > 0).sort((a, b) => b.score - a.score)
  const top = ranked[0]
  if (!top) return []
  const stepsFirst = wantsSteps && top.kind === 'steps'
  const enough = (each: Candidate) =>
    stepsFirst ? 0.2 : each.passage.title === top.passage.title ? 0.5 : 0.65
  const kept = ranked.filter((each) => each.score >= top.score * enough(each))
  const steps = kept.find((each) => each.kind === 'steps')
  const others = kept
    .filter((each) => each.kind !== 'steps')
    .filter((each, at, all) => all.findIndex((other) => other.text === each.text) === at)
    .slice(0, stepsFirst ? 2 : MOST_UNITS)
  const title = top.passage.title
  const rank = ({ passage }: Candidate) => (passage.title === title ? -1 : passage.n)
  return [...(steps ? wholeList(steps, candidates) : []), ...others].sort(
    (a, b) => rank(a) - rank(b) || firstNumber(a) - firstNumber(b) || a.order - b.order,
  )
}

/** The steps with those of neighbouring passages that go on where they end, or lead up to them. */
function wholeList(steps: Candidate, candidates: Candidate[]): Candidate[] {
  const parts = candidates
    .filter((each) => each.kind === 'steps' && each.passage.title === steps.passage.title)
    .sort((a, b) => firstNumber(a) - firstNumber(b))
  const at = parts.indexOf(steps)
  let [from, to] = [at, at]
  const follows = (after: number) =>
    firstNumber(parts[after]) === firstNumber(parts[after - 1]) + countSteps(parts[after - 1])
  while (from > 0 && follows(from)) from -= 1
  while (to + 1 < parts.length && follows(to + 1)) to += 1
  return parts.slice(from, to + 1)
}

function firstNumber(each: Candidate | undefined): number {
  return each?.kind === 'steps' ? Number.parseInt(each.text, 10) : 0
}

function countSteps(each: Candidate | undefined): number {
  return each?.text.match(/^\d+[.)]\s/gm)?.length ?? 0
}

function tell(chosen: Candidate[]): string {
  const paragraphs: string[] = []
  let last: Candidate | undefined
  for (const each of chosen) {
    const { passage, kind, text } = each
    const line =
      kind === 'steps'
        ? citeSteps(text, passage.n)
        : `${kind === 'point' ? '- ' : ''}${text}${cite(passage.n)}`
    if (passage.title !== last?.passage.title)
      paragraphs.push(`${last ? 'Also from' : 'From'} **${passage.title}**:`, line)
    else if (kind === last.kind && kind !== 'steps')
      paragraphs.push(`${paragraphs.pop()}${kind === 'point' ? '\n' : ' '}${line}`)
    else paragraphs.push(line)
    last = each
  }
  return paragraphs.join('\n\n')
}

function cite(n: number): string {
  return n > 0 ? ` [${n}]` : ''
}

/** The number goes behind the first line of every step, before any code below it. */
function citeSteps(steps: string, n: number): string {
  const all = steps.split(/\n(?=\d+[.)]\s)/)
  const shown = all.slice(0, MOST_STEPS).map((step) => {
    const [first = '', ...rest] = step.split('\n')
    return [`${first}${cite(n)}`, ...rest].join('\n')
  })
  if (all.length > MOST_STEPS) shown.push(`… and ${all.length - MOST_STEPS} more on that page.${cite(n)}`)
  return shown.join('\n')
}
