/** robots.txt, by RFC 9309. Pure. */

export type Robots = {
  /** Whether the path of an address, query included, may be read. */
  allows(path: string): boolean
  /** Seconds between two requests, where it asks for that. */
  delay?: number
}

type Rule = { allow: boolean; pattern: string }
type Group = { agents: string[]; rules: Rule[]; delay?: number }

/**
 * The rules for one robot: of all groups that name it, else of those for `*`. Of rules that fit the longest counts,
 * and of equally long ones the one that allows. What cannot be understood is passed over.
 *
 * @param robot the product token, in lower case
 */
export function readRobotsTxt(text: string, robot: string): Robots {
  const groups = groupsOf(text)
  const named = groups.filter(({ agents }) => agents.includes(robot))
  const ours = named.length > 0 ? named : groups.filter(({ agents }) => agents.includes('*'))
  const rules = ours
    .flatMap((group) => group.rules)
    .sort((a, b) => b.pattern.length - a.pattern.length || Number(b.allow) - Number(a.allow))
  const delay = ours.find((group) => group.delay !== undefined)?.delay
  return {
    allows: (path) => {
      const plain = encoded(path)
      return rules.find(({ pattern }) => fits(pattern, plain))?.allow ?? true
    },
    ...(delay === undefined ? {} : { delay }),
  }
}

function groupsOf(text: string): Group[] {
  const groups: Group[] = []
  let group: Group | undefined
  let naming = false
  for (const line of text.replace(/^\uFEFF/, '').split(/\r\n|\r|\n/)) {
    const [said = ''] = line.split('#', 1)
    const [key = '', ...rest] = said.split(':')
    const field = key.trim().toLowerCase()
    const value = rest.join(':').trim()
    if (field === 'user-agent') {
      // Names in a row begin one group together.
      if (!group || !naming) {
        group = { agents: [], rules: [] }
        groups.push(group)
      }
      group.agents.push(/^[a-z_-]+/i.exec(value)?.[0].toLowerCase() ?? value)
      naming = true
    } else if (/^[a-z-]+$/.test(field) && rest.length > 0) {
      naming = naming && field === 'sitemap'
      if (group) obey(group, field, value)
    }
  }
  return groups
}

function obey(group: Group, field: string, value: string): void {
  // An empty rule says nothing: `Disallow:` allows everything.
  if ((field === 'allow' || field === 'disallow') && value !== '')
    group.rules.push({ allow: field === 'allow', pattern: encoded(value) })
  if (field === 'crawl-delay' && /^\d+(\.\d+)?$/.test(value)) group.delay = Number(value)
}

/** One spelling of an address: what must be encoded is, in capitals. */
function encoded(path: string): string {
  const whole = path.toWellFormed().replace(/[^\x21-\x7e]/gu, (char) => encodeURIComponent(char))
  return whole.replace(/%[0-9a-f]{2}/gi, (code) => code.toUpperCase())
}

/** Whether a path begins as the pattern says: `*` is any characters, `$` at its end is the end of the path. */
function fits(pattern: string, path: string): boolean {
  const whole = pattern.endsWith('$')
  const [first = '', ...parts] = (whole ? pattern.slice(0, -1) : pattern).split('*')
  if (!path.startsWith(first)) return false
  if (parts.length === 0) return !whole || path === first
  const last = parts.pop() ?? ''
  let at = first.length
  for (const part of parts) {
    const found = path.indexOf(part, at)
    if (found < 0) return false
    at = found + part.length
  }
  if (!whole) return path.indexOf(last, at) >= 0
  return path.length - last.length >= at && path.endsWith(last)
}
