/** Cutting a document into passages by its structure. Pure. */

/** A piece of a document's structure; `start` and `end` are offsets in its text (UTF-16 units, end exclusive). */
export type Block =
  | { kind: 'heading'; depth: number; text: string; start: number; end: number }
  /** Running text (cut between sentences), or text in which lines matter (cut between lines first). */
  | { kind: 'prose' | 'lines'; start: number; end: number }

/** A document as a source reads it. `path` is unique within the source. */
export type SourceDocument = { path: string; title: string; text: string; blocks: Block[] }

/**
 * A passage: `text` is exactly the document's text from `start` to `end`; `n` counts from 1;
 * `heading` is the way of headings above it, without the title, joined by ` › `.
 */
export type Chunk = { n: number; heading: string; text: string; start: number; end: number }

/** Tokens of title, headings and text together that one passage is meant to hold. */
export const PASSAGE_TOKENS = 240

const LONGEST_HEADING = 120

const RUNS =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}]|[a-z]+|(?:(?![a-z])[\p{L}\p{M}])+|\p{N}+|\S/giu

/**
 * About how many tokens a BERT word-piece tokenizer makes of a text: a run of Latin letters counts one for
 * every 7 begun, digits and other letters one for every 3, everything else one each. Measured on English
 * prose and READMEs it is within 15 % of the truth; never less for two halves than for the whole.
 */
export function estimateTokens(text: string): number {
  let tokens = 0
  for (const [run] of text.matchAll(RUNS)) {
    if (/^[a-z]/i.test(run)) tokens += Math.ceil(run.length / 7)
    else if (/^[\p{L}\p{M}\p{N}]/u.test(run)) tokens += Math.ceil(run.length / 3)
    else tokens += 1
  }
  return tokens
}

/** What an embedding model is given for a passage. */
export function embeddingText(title: string, chunk: { heading: string; text: string }): string {
  return `${chunk.heading ? `${title} — ${chunk.heading}` : title}\n${chunk.text}`
}

/**
 * Cuts a document into passages. A passage never crosses a heading and never holds more than
 * {@link PASSAGE_TOKENS} (title and headings included, by {@link estimateTokens}; a title and headings of
 * more than half of that count as half). All blocks are kept; headings are kept as the `heading` of what
 * stands under them, or as a passage of their own where nothing does.
 */
export function chunk(document: SourceDocument): Chunk[] {
  const chunks: Chunk[] = []
  for (const section of sectionsOf(document)) {
    const prefix = estimateTokens(`${document.title} ${section.heading}`)
    const budget = PASSAGE_TOKENS - Math.min(prefix, PASSAGE_TOKENS / 2)
    const pieces = section.blocks.flatMap((block) => cut(document.text, block, budget))
    for (const range of pack(document.text, pieces, budget))
      chunks.push({
        n: chunks.length + 1,
        heading: section.heading,
        text: document.text.slice(range.start, range.end),
        ...range,
      })
  }
  return chunks
}

type Range = { start: number; end: number }
type Cuttable = Range & { kind: 'prose' | 'lines' }
type Heading = Extract<Block, { kind: 'heading' }>

/** The runs of blocks under one heading each, with the way of headings that leads there. */
function sectionsOf(document: SourceDocument): { heading: string; blocks: Cuttable[] }[] {
  const sections: { heading: string; blocks: Cuttable[] }[] = []
  let way: Heading[] = []
  let blocks: Cuttable[] = []
  let bare: Heading | undefined
  const close = (next?: Heading) => {
    if (bare && !(next && next.depth > bare.depth) && bare.text !== document.title)
      blocks.push({ kind: 'prose', start: bare.start, end: bare.end })
    if (blocks.length > 0) sections.push({ heading: wayTo(way, document.title), blocks })
    blocks = []
  }
  for (const block of document.blocks) {
    if (block.kind === 'heading' && block.text.length <= LONGEST_HEADING) {
      close(block)
      way = [...way.filter((above) => above.depth < block.depth), block]
      bare = block
    } else {
      blocks.push({ kind: block.kind === 'lines' ? 'lines' : 'prose', start: block.start, end: block.end })
      bare = undefined
    }
  }
  close()
  return sections
}

function wayTo(way: Heading[], title: string): string {
  return way
    .map((heading) => heading.text)
    .filter((text) => text !== '' && text !== title)
    .join(' › ')
}

/** A block as pieces of at most `budget` tokens, cut at the best places that suffice. */
function cut(text: string, block: Cuttable, budget: number): Range[] {
  const ways = block.kind === 'lines' ? [lines, sentences, words, letters] : [sentences, words, letters]
  let pieces: Range[] = [{ start: block.start, end: block.end }]
  for (const way of ways) {
    if (pieces.every((piece) => fits(text, piece, budget))) break
    pieces = pieces.flatMap((piece) => (fits(text, piece, budget) ? [piece] : way(text, piece, budget)))
  }
  return pieces
}

/** Neighbouring pieces put together again into passages of about equal size, none above the budget. */
function pack(text: string, pieces: Range[], budget: number): Range[] {
  const total = pieces.reduce((sum, piece) => sum + tokensOf(text, piece), 0)
  const target = total / Math.ceil(total / budget)
  const packed: Range[] = []
  let current: Range | undefined
  for (const piece of pieces) {
    const joined: Range = { start: current?.start ?? piece.start, end: piece.end }
    if (current && (tokensOf(text, current) >= target || !fits(text, joined, budget))) {
      packed.push(current)
      current = piece
    } else current = joined
  }
  if (current) packed.push(current)
  return packed.map((range) => trim(text, range)).filter((range) => range.end > range.start)
}

const tokensOf = (text: string, { start, end }: Range) => estimateTokens(text.slice(start, end))
const fits = (text: string, range: Range, budget: number) => tokensOf(text, range) <= budget

function lines(text: string, range: Range): Range[] {
  return matches(text, range, /[^\n]*\n|[^\n]+$/g)
}

function words(text: string, range: Range): Range[] {
  return matches(text, range, /\s*\S+\s*/g)
}

const sentenceEnds = new Intl.Segmenter('en', { granularity: 'sentence' })

/** Sentences; a line end inside a paragraph does not end one. */
function sentences(text: string, range: Range): Range[] {
  const flowing = text
    .slice(range.start, range.end)
    .replace(/\r?\n(?![ \t]*\r?\n)/g, (end) => ' '.repeat(end.length))
  return [...sentenceEnds.segment(flowing)].map(({ index, segment }) => ({
    start: range.start + index,
    end: range.start + index + segment.length,
  }))
}

/** Pieces of as many characters as there may be tokens: no character is more than one token. */
function letters(text: string, range: Range, budget: number): Range[] {
  const most = Math.floor(budget)
  return matches(text, range, new RegExp(`.{1,${most}}`, 'gsu'))
}

function matches(text: string, range: Range, pattern: RegExp): Range[] {
  return [...text.slice(range.start, range.end).matchAll(pattern)].map((match) => ({
    start: range.start + match.index,
    end: range.start + match.index + match[0].length,
  }))
}

function trim(text: string, range: Range): Range {
  const slice = text.slice(range.start, range.end)
  const start = range.start + slice.length - slice.trimStart().length
  return { start, end: Math.max(start, range.end - (slice.length - slice.trimEnd().length)) }
}
