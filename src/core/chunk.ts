/** Cutting a document into passages by its structure. Pure. */

/** A part of a document's text: offsets in UTF-16 units, `end` exclusive. */
export type Range = { start: number; end: number }

/** A piece of a document's structure. */
export type Block =
  | ({ kind: 'heading'; depth: number; text: string } & Range)
  | ({
      /** Running text (cut between sentences), text in which lines matter, or code (cut between its parts). */
      kind: 'prose' | 'lines' | 'code'
      /** What a part that does not begin the block is of, as a heading: who speaks, which function it is. */
      about?: string
      /** The rows above the first of a table, said again before a passage that begins with this row of it. */
      head?: Range
    } & Range)
  /** What people do not see: no passage holds it. */
  | ({ kind: 'hidden' } & Range)

/**
 * A document as a source reads it. `path` is unique within the source. `places`, in their order: parts that can be opened
 * by themselves, each from `at` on.
 */
export type SourceDocument = {
  path: string
  title: string
  text: string
  blocks: Block[]
  places?: { at: number; link: string }[]
}

/**
 * A passage: `text` is exactly the document's text from `start` to `end`, below the head of the table that it is
 * out of; `n` counts from 1; `heading` is the way of headings above it, without the title, joined by ` › `; `link` opens
 * it where the document's own does not lead there.
 */
export type Chunk = { n: number; heading: string; text: string; link?: string } & Range

/** Tokens of title, headings and text together that one passage is meant to hold. */
export const PASSAGE_TOKENS = 240

const LONGEST_HEADING = 120

const RUNS =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}]|[A-Z]?[a-z]+|[A-Z]+|(?:(?![A-Za-z])[\p{L}\p{M}])+|\p{N}+|\S/gu

/**
 * About how many tokens a BERT word-piece tokenizer makes of a text: a word of Latin letters (camelCase is
 * several) counts one for every 7 begun, digits and other letters one for every 3, everything else one each.
 * Against the tokenizer of all-MiniLM-L6-v2 the truth is .98 of it on English abstracts, 1.0 on Chinese, 1.01 to
 * 1.1 on code, .93 on CSV, 1.4 on German (which that model does not know). Never less for two halves than for
 * the whole.
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
    for (const { start, end, lead, about } of passagesOf(document, section)) {
      const heading = about
        ? [section.heading, about].filter((part) => part !== '').join(' › ')
        : section.heading
      const text = document.text.slice(start, end)
      const link = document.places?.findLast((place) => place.at <= start)?.link
      chunks.push({
        n: chunks.length + 1,
        heading,
        text: lead ? `${lead}\n${text}` : text,
        start,
        end,
        ...(link ? { link } : {}),
      })
    }
  }
  return chunks
}

type Heading = Extract<Block, { kind: 'heading' }>
type Body = Exclude<Block, Heading>
type Section = { heading: string; blocks: Body[] }
/** A part of a block; `about` only where it does not begin it, `apart` where nothing may be joined across it. */
type Piece = Range & { tokens: number; about?: string | undefined; head?: Range | undefined; apart?: true }

/** Passages under one heading, each with what is said again with it. */
function passagesOf(
  { title, text }: SourceDocument,
  { heading, blocks }: Section,
): (Range & { lead?: string; about?: string | undefined })[] {
  const prefix = estimateTokens(`${title} ${heading}`)
  const room = PASSAGE_TOKENS - Math.min(prefix, PASSAGE_TOKENS / 2)
  const again = saidAgain(text, room)
  const budget = room - blocks.reduce((most, block) => Math.max(most, again(block)), 0)
  const pieces = blocks.flatMap((block) => cut(text, block, budget, again(block) > 0))
  return pack(text, pieces, budget).map(({ about, head, ...range }) => ({
    ...trim(text, range),
    ...(head ? { lead: text.slice(head.start, head.end).trimEnd() } : {}),
    about,
  }))
}

/** Tokens of what is said again with the parts of a block; what would take more than half the room is not. */
function saidAgain(text: string, room: number): (block: Body) => number {
  const known = new Map<unknown, number>()
  const once = (key: unknown, said: string) => {
    const tokens = known.get(key) ?? estimateTokens(said)
    known.set(key, tokens)
    return tokens
  }
  return (block) => {
    if (block.kind === 'hidden') return 0
    const { about = '', head } = block
    const tokens = once(about, about) + (head ? once(head, text.slice(head.start, head.end)) : 0)
    return tokens > room / 2 ? 0 : tokens
  }
}

/** The runs of blocks under one heading each, with the way of headings that leads there. */
function sectionsOf(document: SourceDocument): Section[] {
  const sections: Section[] = []
  let way: Heading[] = []
  let blocks: Body[] = []
  let bare: Heading | undefined
  const close = (next?: Heading) => {
    if (bare && !(next && next.depth > bare.depth) && bare.text !== document.title)
      blocks.unshift({ kind: 'prose', start: bare.start, end: bare.end })
    if (blocks.length > 0) sections.push({ heading: wayTo(way, document.title), blocks })
    blocks = []
  }
  for (const block of document.blocks) {
    if (block.kind === 'heading' && block.text.length <= LONGEST_HEADING) {
      close(block)
      way = [...way.filter((above) => above.depth < block.depth), block]
      bare = block
    } else {
      blocks.push(block.kind === 'heading' ? { kind: 'prose', start: block.start, end: block.end } : block)
      if (block.kind !== 'hidden') bare = undefined
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
function cut(text: string, block: Body, budget: number, again: boolean): Piece[] {
  const { kind, start, end } = block
  if (kind === 'hidden') return [{ start, end, tokens: 0, apart: true }]
  let pieces = [measure(text, { start, end })]
  for (const way of WAYS[kind]) {
    if (pieces.every((piece) => piece.tokens <= budget)) break
    pieces = pieces.flatMap((piece) =>
      piece.tokens <= budget ? [piece] : way(text, piece, budget).map((part) => measure(text, part)),
    )
  }
  if (!again) return pieces
  const { about, head } = block
  return pieces.map((piece, at) => ({ ...piece, head, about: at > 0 ? about : undefined }))
}

function measure(text: string, { start, end }: Range): Piece {
  return { start, end, tokens: estimateTokens(text.slice(start, end)) }
}

/** Neighbouring pieces put together again into passages of about equal size, none above the budget. */
function pack(text: string, pieces: Piece[], budget: number): Piece[] {
  const total = pieces.reduce((sum, piece) => sum + piece.tokens, 0)
  const target = total / Math.ceil(total / budget)
  const packed: Piece[] = []
  let current: Piece | undefined
  for (const piece of pieces) {
    const joined = current && !piece.apart ? join(text, current, piece) : undefined
    if (current && joined && current.tokens < target && joined.tokens <= budget) current = joined
    else {
      if (current) packed.push(current)
      current = piece.apart ? undefined : piece
    }
  }
  if (current) packed.push(current)
  return packed.filter(({ start, end }) => text.slice(start, end).trim() !== '')
}

/** Two pieces and what is between them; never fewer tokens than they have together. */
function join(text: string, one: Piece, next: Piece): Piece {
  const between = one.end < next.start ? estimateTokens(text.slice(one.end, next.start)) : 0
  return { ...one, end: next.end, tokens: one.tokens + between + next.tokens }
}

type Way = (text: string, range: Range, budget: number) => Range[]

/** Places to cut at, the best first. */
const WAYS: Record<'prose' | 'lines' | 'code', Way[]> = {
  prose: [sentences, words, letters],
  lines: [lines, sentences, words, letters],
  code: [declarations, groups, lines, words, letters],
}

/** What stands between blank lines that are followed by a line that is not indented. */
function declarations(text: string, range: Range): Range[] {
  return split(text, range, /\n[ \t\r]*\n(?=\S)/g)
}

function groups(text: string, range: Range): Range[] {
  return split(text, range, /\n[ \t\r]*\n/g)
}

/** The parts that end with a separator each. */
function split(text: string, range: Range, separator: RegExp): Range[] {
  const ends = [...text.slice(range.start, range.end).matchAll(separator)].map(
    (match) => range.start + match.index + match[0].length,
  )
  return [...ends, range.end]
    .map((end, at) => ({ start: ends[at - 1] ?? range.start, end }))
    .filter((part) => part.end > part.start)
}

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
