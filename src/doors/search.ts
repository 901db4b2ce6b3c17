/** `quorum search "words"`: what would be recalled, and why in that order. */
import { parseArgs } from 'node:util'
import { type RecallContext, recall } from '../agent/knowledge/recall.ts'
import { permitCloud } from '../core/permit.ts'
import type { Policy } from '../core/rules.ts'
import type { Hit } from '../store/passages.ts'

type Context = RecallContext & { workspace: string; policy: Policy; print: (line: string) => void }

const SEARCH_USAGE = 'quorum search "words" [--channel C0123 | --as U0123] [--source name] [--limit 10]'

/**
 * Prints the passages that suit the words. They are those that `everyone` may read; with `--channel` what all who
 * can read that channel may, with `--as` what that person may. Answers the exit code.
 */
export async function searchDoor(args: string[], context: Context): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      channel: { type: 'string' },
      as: { type: 'string' },
      source: { type: 'string', multiple: true },
      limit: { type: 'string', default: '10' },
    },
  })
  const query = positionals.join(' ')
  const limit = Number(values.limit)
  if (query.trim() === '' || (values.as && values.channel) || !Number.isInteger(limit) || limit < 1) {
    context.print(`Usage: ${SEARCH_USAGE}`)
    return 2
  }
  const found = await recall(context, {
    workspace: context.workspace,
    readers: values.as ? `user:${values.as}` : values.channel ? `channel:${values.channel}` : 'everyone',
    query,
    permit: permitCloud(context.policy, { channel: values.channel ?? '', agent: '' }),
    limit,
    ...(values.source ? { sources: values.source } : {}),
  })
  if (found.degraded) context.print(`(${found.degraded})`)
  context.print(formatHits(found.passages))
  const sources = found.sources === 1 ? '1 source' : `${found.sources} sources`
  context.print(`${found.passages.length} passages from ${sources}, ${found.ms} ms`)
  return 0
}

const WIDEST = 100

type Found = Omit<Hit, 'audience' | 'path' | 'start' | 'end'>

/** Passages as a table for a terminal: both ranks, the fused score, where it stands and how it begins. */
export function formatHits(hits: readonly Found[]): string {
  if (hits.length === 0) return 'Nothing was found.'
  const head = `${cell('#', 3)}${cell('words', 7)}${cell('meaning', 9)}${cell('score', 8)}  passage`
  const indent = ' '.repeat(29)
  const rows = hits.map((hit, at) => {
    const ranks = `${cell(at + 1, 3)}${cell(hit.wordRank ?? '–', 7)}${cell(hit.vectorRank ?? '–', 9)}`
    const place = [hit.source, hit.date, hit.link].filter(Boolean).join(', ')
    const heading = hit.heading === '' ? hit.title : `${hit.title} — ${hit.heading}`
    return [
      `${ranks}${cell(hit.score.toFixed(4), 8)}  ${oneLine(heading, WIDEST)}`,
      `${indent}${oneLine(place, WIDEST)}`,
      `${indent}${oneLine(hit.text, WIDEST)}`,
    ].join('\n')
  })
  return [head, ...rows].join('\n')
}

function cell(value: string | number, width: number): string {
  return String(value).padStart(width)
}

/** Without line ends, and without the control characters by which a text could steer the terminal. */
function oneLine(text: string, most: number): string {
  const flat = text.replace(/[\s\p{Cc}\p{Cf}]+/gu, ' ').trim()
  return flat.length > most ? `${[...flat].slice(0, most - 1).join('')}…` : flat
}
