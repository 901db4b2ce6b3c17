/** What an admin is told of a tool that is withdrawn. */
import type { Message } from '../message.ts'
import { rich, section, text } from './elements.ts'
import { fallbackText } from './fallback.ts'
import { clean, cut, reveal } from './text.ts'

export type Withdrawal = { server: string; tool: string; kind: 'new' | 'changed' | 'server-changed' | 'gone' }
/** One part of a definition, before and after. */
type Change = { part: string; before: string | undefined; after: string | undefined }

const HEAD: Record<Withdrawal['kind'], string> = {
  new: 'A tool is new and waits to be accepted:',
  changed: 'A tool changed since it was accepted, so I do not use it any more:',
  'server-changed':
    'The command or address of a tool server changed since it was accepted, so I use none of its tools:',
  gone: 'A tool that was accepted is gone from its server:',
}

/** One message: which tool, what changed, and what to do. Nothing in it can ping, link or be pressed. */
export function withdrawalMessage({ server, tool, kind }: Withdrawal, changes: readonly Change[]): Message {
  const name = tool === '*' ? server : `${server}__${tool}`
  const head = section(
    text(`${HEAD[kind]} `),
    text(cut(reveal(name).replaceAll('\n', ' '), 200), { code: true }),
  )
  const shown = kind === 'gone' ? [] : changes.slice(0, 5)
  const parts = shown.flatMap(({ part, before, after }) => [
    section(text(part, { bold: true })),
    {
      type: 'rich_text_preformatted' as const,
      elements: [text([...marked('-', before), ...marked('+', after)].join('\n') || ' ')],
    },
  ])
  const foot = section(
    text('To look at it and accept it, whoever runs me calls '),
    text('quorum tools accept', { code: true }),
    text('.'),
  )
  const blocks = [rich(head, ...parts, foot)]
  return { text: fallbackText([rich(head)]) || clean(name), blocks }
}

function marked(sign: string, value: string | undefined): string[] {
  return value === undefined ? [] : [`${sign} ${cut(reveal(value).replaceAll('\n', ' '), 1200)}`]
}
