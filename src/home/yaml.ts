/** YAML with lines. */
import { isMap, isNode, isScalar, isSeq, LineCounter, parseDocument } from 'yaml'
import { type Path, type Placed, recordLines } from './placed.ts'

/**
 * Reads YAML 1.2. Syntax errors, duplicate keys, tabs as indentation and unknown tags are errors with their line.
 *
 * @param before lines that stand above `text` in its file
 */
export function readYaml(text: string, before = 0): Placed {
  const counter = new LineCounter()
  const document = parseDocument(text, { lineCounter: counter, prettyErrors: false, stringKeys: true })
  const lineAt = (offset: number) => counter.linePos(Math.min(offset, text.length)).line + before
  const { put, lineOf } = recordLines(before + 1)
  visitKeys(document.contents, [], (path, offset) => put(path, lineAt(offset)))
  const errors = [...document.errors, ...document.warnings].map(({ code, message, pos }) => ({
    line: lineAt(pos[0]),
    what: code === 'DUPLICATE_KEY' ? `the key ${keyAt(text, pos[0])} is given twice` : sentence(message),
  }))
  if (errors.length > 0) return { value: undefined, lineOf, errors }
  try {
    return { value: document.toJS({ maxAliasCount: 100 }) ?? undefined, lineOf, errors }
  } catch (error) {
    const what = sentence(error instanceof Error ? error.message : String(error))
    return { value: undefined, lineOf, errors: [{ line: before + 1, what }] }
  }
}

/** Visits every key of a map and item of a list as written; what an alias stands for is not visited again. */
function visitKeys(node: unknown, path: Path, visit: (path: Path, offset: number) => void): void {
  if (isMap(node)) {
    for (const { key, value } of node.items) {
      const below = [...path, isScalar(key) ? String(key.value) : String(key)]
      if (isNode(key) && key.range) visit(below, key.range[0])
      visitKeys(value, below, visit)
    }
  } else if (isSeq(node)) {
    node.items.forEach((item, index) => {
      if (isNode(item) && item.range) visit([...path, index], item.range[0])
      visitKeys(item, [...path, index], visit)
    })
  }
}

const keyAt = (text: string, offset: number) =>
  JSON.stringify(
    /^(?:"[^"]*"|'[^']*'|[^\s:,}\]]+)/.exec(text.slice(offset))?.[0].replace(/^["']|["']$/g, '') ?? '',
  )

/** A message of the library as the second half of our line: no capital, no line break, no full stop. */
function sentence(message: string): string {
  const plain = message.replace(/\s+/g, ' ').replace(/\.$/, '').trim()
  return plain.charAt(0).toLowerCase() + plain.slice(1)
}
