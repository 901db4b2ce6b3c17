/** Source code and configuration as documents. */
import type { Block, SourceDocument } from '../core/chunk.ts'

/** A line that is not indented and begins something with a name, in most languages. */
const DECLARATION =
  /^(?:(?:export|default|public|private|protected|internal|static|final|abstract|async|declare|pub(?:\([a-z]+\))?|unsafe|override|open|data|sealed|inline|extern|local)\s+){0,6}(?:function\*?|class|interface|type|enum|struct|trait|impl(?:<[^>]{0,100}>)?|module|namespace|def|defmodule|func|fun|fn|sub|proc|macro_rules!|object|record|protocol|extension|const|let|var|val|message|service|resource|create (?:or replace )?(?:table|view|function|index)(?: if not exists)?)\s+(?:\([^)]{0,100}\)\s*)?["'`]?([\w$.:-]+)/im

/**
 * A block for each part between blank lines that begins at the margin, called by the first name it declares; the
 * title is the path, because people ask for it.
 */
export function readCode(file: string, text: string): SourceDocument {
  const blocks: Block[] = []
  const ends = [...text.matchAll(/\n[ \t\r]*\n(?=[^\s})\]])/g)].map((match) => match.index + match[0].length)
  let start = 0
  for (const end of [...ends, text.length]) {
    const part = text.slice(start, end)
    if (part.trim() !== '') {
      const about = DECLARATION.exec(part.slice(0, 5_000))?.[1]
      blocks.push({ kind: 'code', start, end, ...(about ? { about } : {}) })
    }
    start = end
  }
  return { path: file, title: file, text, blocks }
}
