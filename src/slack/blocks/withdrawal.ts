/** What an admin is told of a tool that is withdrawn. */
import type { Message } from '../message.ts'
import { rich, section, text } from './elements.ts'
import { fallbackText } from './fallback.ts'
import { clean, cut, reveal } from './text.ts'

export type Withdrawal = {
  server: string
  tool: string
  kind: 'new' | 'changed' | 'server-changed' | 'gone' | 'removed'
}
/** One value of a definition, before and after. */
type Change = { part: string; before: string | undefined; after: string | undefined }

/** So many changes are shown, and so much of each value, in characters; `quorum tools accept` shows all. */
const MOST_CHANGES = 8
const MOST_TEXT = 500
/** So much is kept of what two long values begin with alike. */
const LEAD = 60

const HEAD: Record<Withdrawal['kind'], string> = {
  new: 'New, and not used before somebody accepts it:',
  changed: 'A tool changed since it was accepted, so I do not use it any more:',
  'server-changed':
    'The command or address of a tool server changed since it was accepted, so I use none of its tools:',
  removed:
    'A tool server is not in mcp.json any more, so what waited for its tools or was remembered is void:',
  gone: 'A tool that was accepted is gone from its server:',
}

/**
 * One message: which tool, what changed, what should make one careful, and what to do. Nothing in it can ping, link or
 * be pressed.
 */
export function withdrawalMessage(
  { server, tool, kind }: Withdrawal,
  changes: readonly Change[],
  doubts: readonly string[] = [],
): Message {
  const name = tool === '*' ? server : `${server}__${tool}`
  const head = section(
    text(`${HEAD[kind]} `),
    text(cut(reveal(name).replaceAll('\n', ' '), 200), { code: true }),
  )
  const shown = kind === 'gone' ? [] : changes
  const lines = shown.slice(0, MOST_CHANGES).flatMap(written)
  if (shown.length > MOST_CHANGES) lines.push(`… and ${shown.length - MOST_CHANGES} more`)
  const parts =
    lines.length > 0 ? [{ type: 'rich_text_preformatted' as const, elements: [text(lines.join('\n'))] }] : []
  const warnings = doubts.map((doubt) => section(text(`Careful: ${cut(reveal(doubt), 200)}.\n`)))
  const foot = section(
    text(
      kind === 'removed'
        ? 'To forget what was accepted of it, whoever runs me calls '
        : 'To look at all of it and accept it, whoever runs me calls ',
    ),
    text('quorum tools accept', { code: true }),
    text('.'),
  )
  const blocks = [rich(head, ...parts, ...warnings, foot)]
  return { text: fallbackText([rich(head)]) || clean(name), blocks }
}

function written({ part, before, after }: Change): string[] {
  const lead = before !== undefined && after !== undefined ? alike(before, after) : 0
  const line = (sign: string, value: string | undefined) =>
    value === undefined ? [] : [`${sign} ${cut(part, 100)}: ${excerpt(value, lead)}`]
  return [...line('-', before), ...line('+', after)]
}

/** How many characters two values begin with alike, of which nothing need be shown. */
function alike(before: string, after: string): number {
  let n = 0
  while (n < before.length && before[n] === after[n]) n += 1
  return n > LEAD * 2 ? n - LEAD : 0
}

function excerpt(value: string, lead: number): string {
  const rest = reveal(value.slice(lead)).replaceAll('\n', ' ')
  return cut(`${lead > 0 ? '…' : ''}${rest}`, MOST_TEXT)
}
