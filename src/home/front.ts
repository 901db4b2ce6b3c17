/** Front matter: the YAML between two lines of three dashes at the top of a Markdown file. */
import { type Placed, recordLines } from './placed.ts'
import { readYaml } from './yaml.ts'

/** Splits and reads. Missing or unclosed front matter is an error; `body` is the text below it, trimmed. */
export function readFront(text: string): { front: Placed; body: string } {
  const lines = text.split(/\r?\n/)
  const wrong = (what: string) => ({
    front: { value: undefined, lineOf: recordLines().lineOf, errors: [{ line: 1, what }] },
    body: '',
  })
  if (lines[0]?.trimEnd() !== '---')
    return wrong('the file must begin with front matter between two lines of ---')
  const end = lines.findIndex((line, index) => index > 0 && line.trimEnd() === '---')
  if (end === -1) return wrong('the front matter is not closed by a line of ---')
  return {
    front: readYaml(lines.slice(1, end).join('\n'), 1),
    body: lines
      .slice(end + 1)
      .join('\n')
      .trim(),
  }
}
