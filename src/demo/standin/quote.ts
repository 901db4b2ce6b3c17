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

/** The answer in Markdown with `[n]` behind what it quotes; undefined when the passages say nothing on it. */
export function quote(question: string, passages: Passage[], today: string): string | undefined {
  const wanted = [...new Set(stems(question))]
  const ranked = passages
    .map((passage, place) => ({ passage, ...relevance(wanted, passage, place) }))
    .filter((each) => each.coverage >= ENOUGH)
    .sort((a, b) => b.score - a.score)
  const top = ranked[0]
  if (!top) return undefined
  const weights = rarity(wanted, passages)
  const wantsSteps = WANTS_STEPS.test(question)
  const candidates = ranked.flatMap(({ passage, score }, place) =>
    splitUnits(passage.text, question, today).map((unit, order) => {
      const share = place === 0 ? 1 : 0.7 * (score / top.score)
      return { ...unit, passage, order, score: worth(unit, weights, wantsSteps, place === 0) * share }
    }),
  )
  const chosen = choose(candidates, wantsSteps)
  return chosen.length === 0 ? undefined : tell(chosen)
}

/** How much of the question a passage speaks of; its title and its place among the recalled count too. */
function relevance(wanted: string[], passage: Passage, place: number) {
  const inTitle = new Set(stems(passage.title))
  const inText = new Set(stems(passage.text))
  const count = Math.max(1, wanted.length)
  const coverage = wanted.filter((word) => inTitle.has(word) || inText.has(word)).length / count
  const titled = wanted.filter((word) => inTitle.has(word)).length / count
  return { coverage, score: coverage + 0.5 * titled + 0.3 / (place + 1) }
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

/** Steps answer a `how` even where they repeat none of its words, if they stand in the best passage. */
function worth(unit: Unit, weights: Map<string, number>, wantsSteps: boolean, best: boolean): number {
  const words = new Set(stems(unit.text))
  let sum = 0
  for (const [word, weight] of weights) if (words.has(word)) sum += weight
  if (unit.kind === 'steps') return wantsSteps ? (sum + (best ? 0.5 : 0)) * 3 : sum * 0.8
  return sum * Math.min(1, 30 / Math.max(1, words.size))
}

function choose(candidates: Candidate[], wantsSteps: boolean): Candidate[] {
  const ranked = candidates.filter((each) => each.score > 0).sort((a, b) => b.score - a.score)
  const top = ranked[0]
  if (!top) return []
  const stepsFirst = wantsSteps && top.kind === 'steps'
  const kept = ranked.filter((each) => each.score >= top.score * (stepsFirst ? 0.2 : 0.45))
  const steps = kept.find((each) => each.kind === 'steps')
  const chosen = kept
    .filter((each) => each.kind !== 'steps' || each === steps)
    .filter((each, at, all) => all.findIndex((other) => other.text === each.text) === at)
    .slice(0, stepsFirst ? 3 : MOST_UNITS)
  const rank = ({ passage }: Candidate) => (passage === top.passage ? -1 : passage.n)
  return chosen.sort((a, b) => rank(a) - rank(b) || a.order - b.order)
}

function tell(chosen: Candidate[]): string {
  const paragraphs: string[] = []
  let last: Candidate | undefined
  for (const each of chosen) {
    const { passage, kind, text } = each
    const line =
      kind === 'steps' ? citeSteps(text, passage.n) : `${kind === 'point' ? '- ' : ''}${text} [${passage.n}]`
    if (passage.title !== last?.passage.title)
      paragraphs.push(`${last ? 'Also from' : 'From'} **${passage.title}**:`, line)
    else if (kind === last.kind && kind !== 'steps')
      paragraphs.push(`${paragraphs.pop()}${kind === 'point' ? '\n' : ' '}${line}`)
    else paragraphs.push(line)
    last = each
  }
  return paragraphs.join('\n\n')
}

/** The number goes behind the first line of every step, before any code below it. */
function citeSteps(steps: string, n: number): string {
  const all = steps.split(/\n(?=\d+[.)]\s)/)
  const shown = all.slice(0, MOST_STEPS).map((step) => {
    const [first = '', ...rest] = step.split('\n')
    return [`${first} [${n}]`, ...rest].join('\n')
  })
  if (all.length > MOST_STEPS) shown.push(`… and ${all.length - MOST_STEPS} more on that page. [${n}]`)
  return shown.join('\n')
}
