/** Sitemaps: the addresses they list, and the sitemaps they lead to. */
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { Parser } from 'htmlparser2'

/** A page as a sitemap lists it; `modified` is YYYY-MM-DD. */
export type Listed = { url: string; modified?: string }
export type Sitemap = { pages: Listed[]; sitemaps: string[] }

/** Largest sitemap that is read, unpacked, in bytes: what the protocol allows. */
export const LARGEST_SITEMAP = 50 * 1024 * 1024
/** Addresses that one sitemap may list; what is beyond is not read. */
const MOST_ADDRESSES = 50_000

/**
 * Reads a sitemap, a sitemap index or a list of addresses one a line; packed with gzip or not. What cannot be read as
 * any of them lists nothing.
 *
 * @throws Error where it is packed and broken, or larger than it may be
 */
export async function readSitemap(bytes: Uint8Array): Promise<Sitemap> {
  const packed = bytes[0] === 0x1f && bytes[1] === 0x8b
  const plain = packed ? await promisify(gunzip)(bytes, { maxOutputLength: LARGEST_SITEMAP }) : bytes
  const text = new TextDecoder().decode(plain)
  return text.trimStart().startsWith('<') ? readXml(text) : readLines(text)
}

function readLines(text: string): Sitemap {
  const pages = text.split(/\r?\n/, MOST_ADDRESSES).flatMap((line) => {
    const url = line.trim()
    return /^https?:\/\//i.test(url) ? [{ url }] : []
  })
  return { pages, sitemaps: [] }
}

function readXml(text: string): Sitemap {
  const found: Sitemap = { pages: [], sitemaps: [] }
  let entry: { kind: 'url' | 'sitemap'; loc: string; lastmod: string } | undefined
  let field: 'loc' | 'lastmod' | undefined
  const parser = new Parser(
    {
      onopentag(name) {
        if (name === 'url' || name === 'sitemap') entry = { kind: name, loc: '', lastmod: '' }
        field = name === 'loc' || name === 'lastmod' ? name : undefined
      },
      ontext(data) {
        if (entry && field) entry[field] += data
      },
      onclosetag(name) {
        field = undefined
        if (!entry || name !== entry.kind) return
        const url = entry.loc.trim()
        if (url !== '' && entry.kind === 'sitemap') found.sitemaps.push(url)
        else if (url !== '') found.pages.push({ url, ...dayOf(entry.lastmod) })
        entry = undefined
        if (found.pages.length + found.sitemaps.length >= MOST_ADDRESSES) parser.pause()
      },
    },
    { xmlMode: true },
  )
  parser.end(text)
  return found
}

function dayOf(time: string): { modified?: string } {
  const day = /^\d{4}-\d{2}-\d{2}/.exec(time.trim())?.[0]
  return day && !Number.isNaN(Date.parse(day)) ? { modified: day } : {}
}
