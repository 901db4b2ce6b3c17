/** What a page says about itself to those who would keep it. */
import { Parser } from 'htmlparser2'

/** `unwanted`: it asks not to be indexed. `canonical`: the address it goes by, absolute. */
export type PageHead = { unwanted: boolean; canonical?: string }

/** Product token of robots.txt and of pages' meta elements; also the beginning of our User-Agent. */
export const ROBOT = 'quorum'

/** Reads the head of a page and its X-Robots-Tag header. Reads no further than where the body begins. */
export function readHead(html: string, url: string, header: string | null): PageHead {
  let unwanted = header !== null && forUs(header).some(says)
  let canonical: string | undefined
  const parser = new Parser({
    onopentag(name, { name: of = '', content = '', rel = '', href = '' }) {
      if (name === 'body') parser.pause()
      else if (name === 'meta' && [ROBOT, 'robots'].includes(of.toLowerCase())) unwanted ||= says(content)
      else if (name === 'link' && rel.toLowerCase().split(/\s+/).includes('canonical')) canonical ??= href
    },
  })
  parser.end(html)
  if (!canonical || !URL.canParse(canonical, url)) return { unwanted }
  const absolute = new URL(canonical, url)
  absolute.hash = ''
  return { unwanted, canonical: absolute.href }
}

/** The parts of the header that name nobody, or us: `otherbot: noindex, nofollow` is for another. */
function forUs(header: string): string[] {
  let forOther = false
  return header.split(',').filter((part) => {
    const [, agent] = /^\s*([\w-]+)\s*:/.exec(part) ?? []
    if (agent && !/^(unavailable_after|max-)/i.test(agent)) forOther = agent.toLowerCase() !== ROBOT
    return !forOther
  })
}

/** Whether a list of directives asks not to be indexed. */
function says(directives: string): boolean {
  return /(^|[\s,:])(noindex|none)\s*(,|$)/i.test(directives)
}
