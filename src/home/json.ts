/** JSON with lines, as editors and MCP hosts write it: comments and a comma too many are read, nothing else. */
import { type Path, type Placed, recordLines } from './placed.ts'

type Reader = { text: string; at: number; put(path: Path, at: number): void; fail(what: string): never }
type Failure = { offset: number; what: string }

/** Reads JSON. A syntax error or a key given twice is an error with its line. */
export function readJson(text: string): Placed {
  const { put, lineOf } = recordLines()
  const lineAt = lineFinder(text)
  const failures: Failure[] = []
  const reader: Reader = {
    text,
    at: 0,
    put: (path, at) => put(path, lineAt(at)),
    fail(what) {
      failures.push({ offset: reader.at, what })
      throw failures
    },
  }
  let value: unknown
  try {
    skipBlank(reader)
    value = readValue(reader, [], failures)
    skipBlank(reader)
    if (reader.at < text.length) reader.fail(`unexpected ${shown(reader)} after the end of the JSON`)
  } catch (error) {
    if (error !== failures) throw error
    value = undefined
  }
  return { value, lineOf, errors: failures.map(({ offset, what }) => ({ line: lineAt(offset), what })) }
}

function readValue(reader: Reader, path: Path, failures: Failure[]): unknown {
  if (path.length > 100) reader.fail('nested too deeply')
  const next = reader.text[reader.at]
  if (next === '{') return readObject(reader, path, failures)
  if (next === '[') return readArray(reader, path, failures)
  if (next === '"') return readString(reader)
  const word = /^(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.+-])/.exec(
    reader.text.slice(reader.at, reader.at + 400),
  )?.[0]
  if (word === undefined) return reader.fail(`expected a value, found ${shown(reader)}`)
  reader.at += word.length
  return JSON.parse(word)
}

function readObject(reader: Reader, path: Path, failures: Failure[]): Record<string, unknown> {
  const object: Record<string, unknown> = Object.create(null)
  reader.at++
  for (skipBlank(reader); reader.text[reader.at] !== '}'; skipBlank(reader)) {
    const start = reader.at
    if (reader.text[start] !== '"')
      reader.fail(`expected a key in double quotes or }, found ${shown(reader)}`)
    const key = readString(reader)
    if (key in object) failures.push({ offset: start, what: `the key "${key}" is given twice` })
    skipBlank(reader)
    if (reader.text[reader.at] !== ':')
      reader.fail(`expected : after the key "${key}", found ${shown(reader)}`)
    reader.at++
    skipBlank(reader)
    reader.put([...path, key], start)
    object[key] = readValue(reader, [...path, key], failures)
    if (endOfItem(reader, '}')) break
  }
  reader.at++
  return { ...object }
}

function readArray(reader: Reader, path: Path, failures: Failure[]): unknown[] {
  const items: unknown[] = []
  reader.at++
  for (skipBlank(reader); reader.text[reader.at] !== ']'; skipBlank(reader)) {
    const item = [...path, items.length]
    reader.put(item, reader.at)
    items.push(readValue(reader, item, failures))
    if (endOfItem(reader, ']')) break
  }
  reader.at++
  return items
}

/** After an item: true at the closing bracket, false after a comma. */
function endOfItem(reader: Reader, close: '}' | ']'): boolean {
  skipBlank(reader)
  if (reader.text[reader.at] === close) return true
  if (reader.text[reader.at] !== ',') reader.fail(`expected , or ${close}, found ${shown(reader)}`)
  reader.at++
  return false
}

function readString(reader: Reader): string {
  const match = /^"(?:[^"\\\n]|\\.)*"/.exec(reader.text.slice(reader.at))?.[0]
  if (match === undefined) return reader.fail('a text in quotes does not end on its line')
  try {
    const value: string = JSON.parse(match)
    reader.at += match.length
    return value
  } catch {
    return reader.fail('a text in quotes holds a tab, a control character or a wrong \\ escape')
  }
}

function skipBlank(reader: Reader): void {
  const blank = /(?:[ \t\r\n]|\/\/[^\n]*|\/\*.*?\*\/)*/sy
  blank.lastIndex = reader.at
  reader.at += blank.exec(reader.text)?.[0].length ?? 0
}

function shown(reader: Reader): string {
  const found = /^(?:\w{1,30}|.)/su.exec(reader.text.slice(reader.at))?.[0]
  return found === undefined ? 'the end of the file' : JSON.stringify(found)
}

function lineFinder(text: string): (offset: number) => number {
  const starts = [0]
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return (offset) => starts.findLastIndex((start) => start <= offset) + 1
}
