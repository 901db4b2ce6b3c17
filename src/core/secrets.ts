/** Secrets in documents: keys, tokens and passwords, so that they are not stored. Pure. */
import type { Range, SourceDocument } from './chunk.ts'

/**
 * A kind of secret. `hints`: one of them stands in every text that has one, in lower case; looking for them first
 * costs next to nothing. The secret is the last group of the pattern, or all of it; `is` looks closer.
 */
type Rule = { hints: readonly string[]; pattern: RegExp; is?: (secret: string, whole: string) => boolean }

const REMOVED = '[secret removed]'

/** Tokens that say by their own form what they are. */
const TOKENS: Rule[] = [
  token(['akia', 'asia', 'abia', 'acca'], /\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b/g),
  token(['ghp_', 'gho_', 'ghu_', 'ghs_', 'ghr_'], /\bgh[pousr]_[A-Za-z0-9]{36,255}\b/g),
  token(['github_pat_'], /\bgithub_pat_\w{50,255}\b/g),
  token(
    ['glpat-', 'gldt-', 'glrt-', 'glptt-', 'glft-', 'glcbt-'],
    /\bgl(?:pat|dt|rt|ptt|ft|cbt)-[\w.-]{20,200}/g,
  ),
  token(['xox'], /\bxox[abeoprs](?:\.xox[bp])?-[A-Za-z0-9-]{20,400}/g),
  token(['xapp-'], /\bxapp-\d-[A-Z0-9]{5,20}-\d{5,20}-[a-f0-9]{32,128}\b/g),
  token(['hooks.slack.com'], /hooks\.slack\.com\/(?:services|workflows|triggers)\/([\w/-]{20,200})/g),
  token(['discord'], /discord(?:app)?\.com\/api\/webhooks\/\d{10,25}\/([\w-]{40,100})/g),
  token(['sk-'], /\bsk-(?:ant|proj|svcacct|admin|or|lf)-[\w-]{24,250}/g),
  token(['sk-'], /\bsk-[A-Za-z0-9]{40,80}\b/g),
  token(
    ['gsk_', 'xai-', 'hf_'],
    /\b(?:gsk_[A-Za-z0-9]{40,80}|xai-[A-Za-z0-9]{60,100}|hf_[A-Za-z0-9]{30,60})\b/g,
  ),
  token(
    ['k_live_', 'k_test_', 'whsec_'],
    /\b(?:[rs]k_(?:live|test)_[A-Za-z0-9]{16,250}|whsec_[A-Za-z0-9+/=]{24,80})/g,
  ),
  token(['aiza'], /\bAIza[\w-]{35}(?![\w-])/g),
  token(['ya29.', 'gocspx-'], /\b(?:ya29\.[\w-]{20,500}|GOCSPX-[\w-]{28})/g),
  token(['sg.'], /\bSG\.[\w-]{16,32}\.[\w-]{32,64}/g),
  token(
    ['npm_', 'pypi-', 'dckr_pat_'],
    /\b(?:npm_[A-Za-z0-9]{36}|pypi-[\w-]{70,300}|dckr_pat_[\w-]{20,60})/g,
  ),
  token(['dop_v1_', 'doo_v1_', 'dor_v1_'], /\bdo[opr]_v1_[0-9a-f]{64}\b/g),
  token(['dapi'], /\bdapi[0-9a-f]{32}(?:-\d)?\b/g),
  token(
    ['lin_api_', 'ntn_', 'figd_'],
    /\b(?:lin_api_[A-Za-z0-9]{40}|ntn_[A-Za-z0-9]{40,60}|figd_[\w-]{40,60})/g,
  ),
  token(['shpat_', 'shpca_', 'shppa_', 'shpss_'], /\bshp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}\b/g),
  token(['hvs.', 'hvb.'], /\bhv[sb]\.[\w-]{24,300}/g),
  token(['glsa_', 'glc_'], /\b(?:glsa_[A-Za-z0-9]{32}_[0-9a-f]{8}|glc_[A-Za-z0-9+/]{60,400}={0,2})/g),
  token(
    ['tskey-', 'atatt3x', 'sntrys_'],
    /\b(?:tskey-[\w-]{20,100}|ATATT3x[\w=-]{100,300}|sntrys_[\w+/=]{60,400})/g,
  ),
  token([':aa'], /\b\d{8,10}:AA[\w-]{33}\b/g),
  token(['key='], /\b(?:AccountKey|SharedAccessKey)=([A-Za-z0-9+/]{40,100}={0,2})/g),
  // What follows is looked at once for all places of a word where one could begin.
  token(
    ['.eyj'],
    /(?<![\w-])(?=[\w-]{13,}\.eyJ[\w-]{10,}\.[\w-]{20})(?:[\w-]*?-)?(eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{20,})/g,
  ),
]

/** Looked for at once, which is several times as fast as one after another. */
const ANY_TOKEN = new RegExp(
  TOKENS.flatMap(({ hints }) => hints)
    .map((hint) => hint.replaceAll('.', '\\.'))
    .join('|'),
  'i',
)

const RULES: Rule[] = [
  {
    hints: ['private key'],
    pattern:
      /-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----(?:(?:(?!-----BEGIN)[\s\S]){1,20000}?-----END [A-Z0-9 ]{1,40}-----|(?:\s*[A-Za-z0-9+/=]{40,})+)/g,
    is: (key) => /[A-Za-z0-9+/=]{32}/.test(key),
  },
  {
    hints: ['secret'],
    pattern:
      /secret_?(?:access_?)?key["']?\s{0,5}(?:=>|[=:])\s{0,5}["']?([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+])/gi,
    is: isRandom,
  },
  {
    hints: ['bearer', 'basic'],
    pattern: /\b(?:Bearer|Basic)\s{1,3}([\w.~+/=-]{20,2000})/gi,
    is: isRandom,
  },
  {
    // A password in an address; `user:user@` and `user:password@` are how examples are written.
    hints: ['://'],
    pattern: /:\/\/([^\s:/@"'<>`]{0,100}):([^\s/@"'<>`]{3,200})@(?=[\w[])/gi,
    is: (password, whole) => isPassword(password) && !whole.includes(`//${password}:`),
  },
  {
    // A line of settings, `.env`, YAML or prose: a name that speaks of secrets, and a value that is one word.
    hints: ['pass', 'secret', 'token', 'key', 'credential'],
    pattern:
      /^[ \t>*{-]{0,20}(?:(?:export|set|const|let|var)[ \t]+)?["'`]?[\w.-]{0,60}(?:PASSWORD|PASSWD|PASSPHRASE|PASSWORT|SECRET|TOKEN|API_?-?KEY|PRIVATE_?KEY|ACCESS_?KEY|CREDENTIALS?)[\w-]{0,30}["'`]?[ \t]{0,5}(?:=>|:=|[=:])[ \t]{0,5}["'`]?([^\s"'`,;]{6,500})["'`]?[ \t]{0,5}[,;]?[ \t]{0,5}\r?$/gim,
    is: (value, whole) => (/pass(word|wd|phrase|wort)/i.test(whole) ? isPassword(value) : isRandom(value)),
  },
]

function token(hints: readonly string[], pattern: RegExp): Rule {
  return { hints, pattern, is: (secret) => !isPlaceholder(secret) }
}

/** Where the secrets of a text stand, in order, none within another. */
export function findSecrets(text: string): Range[] {
  const lower = text.toLowerCase()
  const rules = ANY_TOKEN.test(text) ? [...TOKENS, ...RULES] : RULES
  const found = rules
    .filter(({ hints }) => hints.some((hint) => lower.includes(hint)))
    .flatMap((rule) => matchesOf(rule, text))
  const sorted = found.toSorted((a, b) => a.start - b.start || b.end - a.end)
  return sorted.reduce<Range[]>((apart, one) => {
    const last = apart.at(-1)
    if (!last || one.start >= last.end) apart.push({ ...one })
    else last.end = Math.max(last.end, one.end)
    return apart
  }, [])
}

function matchesOf({ pattern, is }: Rule, text: string): Range[] {
  return [...text.matchAll(pattern)].flatMap((match) => {
    const [whole, ...groups] = match
    const secret = groups.at(-1) ?? whole
    if (is && !is(secret, whole)) return []
    const start = match.index + whole.lastIndexOf(secret)
    return [{ start, end: start + secret.length }]
  })
}

/** A text without its secrets. */
export function withoutSecrets(text: string): string {
  return hide(text, findSecrets(text))
}

/** A document without its secrets, its blocks where they now are, and how many secrets were taken out. */
export function removeSecrets(document: SourceDocument): { document: SourceDocument; removed: number } {
  const title = hide(document.title, findSecrets(document.title))
  const found = findSecrets(document.text)
  if (found.length === 0 && title === document.title) return { document, removed: 0 }
  const text = hide(document.text, found)
  const moved = mover(found, document.text)
  const range = ({ start, end }: Range) => ({ start: moved(start, 'start'), end: moved(end, 'end') })
  const blocks = document.blocks.map((block) => {
    if (block.kind === 'heading')
      return { ...block, ...range(block), text: hide(block.text, findSecrets(block.text)) }
    return {
      ...block,
      ...range(block),
      ...('head' in block && block.head ? { head: range(block.head) } : {}),
    }
  })
  const places = document.places?.map((place) => ({ ...place, at: moved(place.at, 'start') }))
  return {
    document: { ...document, title, text, blocks, ...(places ? { places } : {}) },
    removed: Math.max(found.length, 1),
  }
}

/** The same lines, so that a line that is cited stays where it was. */
function insteadOf(secret: string): string {
  return REMOVED + '\n'.repeat(secret.split('\n').length - 1)
}

function hide(text: string, secrets: readonly Range[]): string {
  let at = 0
  let rest = ''
  for (const { start, end } of secrets) {
    rest += text.slice(at, start) + insteadOf(text.slice(start, end))
    at = end
  }
  return rest + text.slice(at)
}

/** Where an offset is after secrets were taken out; one within a secret goes to the end of it that is asked for. */
function mover(secrets: readonly Range[], text: string): (offset: number, edge: 'start' | 'end') => number {
  let shift = 0
  const moved = secrets.map(({ start, end }) => {
    const to = start + shift
    shift += insteadOf(text.slice(start, end)).length - (end - start)
    return { start, end, to, shift }
  })
  return (offset, edge) => {
    const at = countBefore(moved, offset)
    const last = moved[at - 1]
    if (!last) return offset
    if (offset >= last.end) return offset + last.shift
    return edge === 'start' ? last.to : last.end + last.shift
  }
}

/** How many of these, in their order, begin before an offset. */
function countBefore(ranges: readonly Range[], offset: number): number {
  let [low, high] = [0, ranges.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((ranges[middle]?.start ?? 0) < offset) low = middle + 1
    else high = middle
  }
  return low
}

/** Words that stand where a secret would; more than two `x` are one too. */
const WORDS = new Set(
  (
    'your my the some a an example sample test dummy fake foo bar baz change changeme replace insert here this ' +
    'value pass passwd password passwort passphrase pwd pw secret secrets token key api apikey access private auth ' +
    'user username admin root postgres redacted removed none null undefined true false string number required ' +
    'optional todo tbd xxx'
  ).split(' '),
)
const LONGEST_WORD = Math.max(...[...WORDS].map((word) => word.length))
/** Nobody writes a longer one out of words, in characters. */
const LONGEST_PLACEHOLDER = 200

/** Whether a value is nothing but words, joined in whatever way, with up to three digits behind. */
function isOfWords(value: string): boolean {
  if (value.length > LONGEST_PLACEHOLDER) return false
  const parts = value.toLowerCase().split(/[\W_]+/)
  const last = parts.findLastIndex((part) => part !== '')
  const words = parts.map((part, at) => (at === last ? part.replace(/\d{1,3}$/, '') : part))
  return words.some((word) => word !== '') && words.every(isJoined)
}

/** Whether a text can be cut into words without a rest. */
function isJoined(text: string): boolean {
  const letters = text.replace(/x{3,}/g, 'xxx')
  const ends = new Set([0])
  for (const end of ends)
    for (let length = 1; length <= LONGEST_WORD; length++)
      if (WORDS.has(letters.slice(end, end + length))) ends.add(Math.min(end + length, letters.length))
  return ends.has(letters.length)
}

/** What stands for a secret in examples. */
function isPlaceholder(value: string): boolean {
  return (
    isOfWords(value) ||
    /^[$%{<([]|\$\{|\{\{|<[a-z]|%[sd@]|\.\.\.|…|\*{3}|x{4}/i.test(value) ||
    /example|placeholder|changeme|your[-_]|0123456789|1234567890|abcdefgh/i.test(value) ||
    new Set(value).size < 4
  )
}

/** What nobody would think up as a word: letters and digits, mixed, of many kinds. */
function isRandom(value: string): boolean {
  if (value.length < 12 || isPlaceholder(value) || isReference(value)) return false
  return /[A-Za-z]/.test(value) && /\d/.test(value) && !isWordy(value) && entropy(value) >= 3
}

/** A password of people is shorter than a key, and mixed all the same. */
function isPassword(value: string): boolean {
  if (isPlaceholder(value) || isReference(value)) return false
  return value.length >= 6 && /[A-Za-z]/.test(value) && /[\d!#%&*?~^]/.test(value)
}

/** A name, a path or a piece of a program, where a value would stand. */
function isReference(value: string): boolean {
  return (
    /[()[\]{}<>]|^[./~]|^https?:|^\w+:\/\/|process\.env|os\.environ|::|=>/i.test(value) ||
    /^[a-z_]\w*(\.[a-z_]\w*)+$/i.test(value)
  )
}

/** Words joined to a name: the kind of letter changes seldom; in a key it changes every second or third time. */
function isWordy(value: string): boolean {
  const kinds = value.replace(/[^A-Za-z\d]/g, '').replace(/(?<![A-Z])[A-Z]+(?=[a-z])/g, 'a')
  const changes = kinds.match(/[a-z](?=[A-Z\d])|[A-Z](?=\d)|\d(?=[A-Za-z])/g)?.length ?? 0
  return changes < Math.max(3, value.length / 5)
}

/** Bits a character, of a text's own letters. */
function entropy(value: string): number {
  const counts = Map.groupBy(value, (letter) => letter)
  return [...counts.values()].reduce((sum, { length }) => {
    const share = length / value.length
    return sum - share * Math.log2(share)
  }, 0)
}
