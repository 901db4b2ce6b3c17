import { expect, test } from 'vitest'
import { readHead } from '../../src/sources/page-head.ts'
import { readRobotsTxt } from '../../src/sources/robots.ts'
import { readSitemap } from '../../src/sources/sitemap.ts'

const allows = (text: string, path: string) => readRobotsTxt(text, 'quorum').allows(path)

test('the group that names us counts, else that for all; names in a row begin one group', () => {
  const text = 'User-agent: a\nUser-Agent: QUORUM/2.0\nDisallow: /x\n\nUser-agent: *\nDisallow: /'
  expect([allows(text, '/x/1'), allows(text, '/y')]).toEqual([false, true])
  expect(allows('User-agent: other\nDisallow: /', '/y')).toBe(true)
  expect(allows('User-agent: *\nDisallow: /p', '/page')).toBe(false)
  expect(allows('Disallow: /\n# nobody is named', '/y')).toBe(true)
  expect(allows('User-agent: quorum\nDisallow: /a\nUser-agent: quorum\nDisallow: /b', '/a')).toBe(false)
})

test('the longest rule that fits counts, allowing ones first among equals; an empty rule says nothing', () => {
  const text =
    'User-agent: *\nDisallow: /a\nAllow: /a/b\nDisallow: /a/b/c\nAllow: /same\nDisallow: /same\nDisallow:'
  const found = ['/a/x', '/a/b/x', '/a/b/c', '/same', '/z'].map((path) => allows(text, path))
  expect(found).toEqual([false, true, false, true, true])
})

test('stars and ends', () => {
  const text = 'User-agent: *\nDisallow: /*.pdf$\nDisallow: /private*/x\nDisallow: /*?session='
  const paths = ['/a/b.pdf', '/a/b.pdf?c', '/private-1/y/x1', '/private', '/p?session=1', '/x.pdfx']
  expect(paths.map((path) => allows(text, path))).toEqual([false, true, false, true, false, true])
  expect(allows(`User-agent: *\nDisallow: /${'*a'.repeat(10_000)}`, `/${'a'.repeat(9_000)}`)).toBe(true)
})

test('one spelling of letters; comments, stray lines and other line ends', () => {
  expect(allows('User-agent: *\r\nDisallow: /käse # no cheese', '/k%c3%a4se')).toBe(false)
  expect(allows('\uFEFFuser-agent : *\rnonsense\rdisallow : /x\r', '/x')).toBe(false)
  expect(readRobotsTxt('User-agent: *\nCrawl-delay: 2.5', 'quorum').delay).toBe(2.5)
  expect(readRobotsTxt('User-agent: *\nCrawl-delay: soon', 'quorum').delay).toBeUndefined()
})

test('a line of nothing but blanks takes no time', () => {
  const began = performance.now()
  expect(allows(`User-agent: *\nDisallow: /x${' '.repeat(60_000)}y`, '/x')).toBe(true)
  expect(performance.now() - began).toBeLessThan(2_000)
})

test('the head of a page', () => {
  const page = (head: string, body = '') => `<head>${head}</head><body>${body}</body>`
  const of = (html: string, header: string | null = null) => readHead(html, 'https://x.example/a/b', header)
  expect(of(page('<link rel="alternate canonical" href="../c#part">'))).toEqual({
    unwanted: false,
    canonical: 'https://x.example/c',
  })
  expect(of(page('<meta name=robots content=none>')).unwanted).toBe(true)
  expect(of(page('<meta name=quorum content="noindex">')).unwanted).toBe(true)
  expect(of(page('<meta name=googlebot content="noindex">')).unwanted).toBe(false)
  expect(of(page('', '<meta name=robots content=noindex>')).unwanted).toBe(false)
  expect(
    [of('', 'noindex'), of('', 'quorum: none'), of('', 'max-snippet:-1, noindex')].map((one) => one.unwanted),
  ).toEqual([true, true, true])
  expect(of('', 'googlebot: noindex, nofollow').unwanted).toBe(false)
})

test('sitemaps: days, images beside pages, plain lists, what is none', async () => {
  const read = (text: string) => readSitemap(new TextEncoder().encode(text))
  const xml = `<urlset><url><loc> https://x.example/?a=1&amp;b=2 </loc><lastmod>2026-05-02T10:00:00Z</lastmod>
    <image:image><image:loc>https://x.example/i.png</image:loc></image:image></url><url><loc><![CDATA[https://x.example/c]]></loc></url></urlset>`
  expect(await read(xml)).toEqual({
    pages: [{ url: 'https://x.example/?a=1&b=2', modified: '2026-05-02' }, { url: 'https://x.example/c' }],
    sitemaps: [],
  })
  expect((await read('https://x.example/a\r\nhttps://x.example/b\nnonsense')).pages).toHaveLength(2)
  expect(await read('<html><body>not here</body></html>')).toEqual({ pages: [], sitemaps: [] })
  await expect(readSitemap(new Uint8Array([0x1f, 0x8b, 1, 2, 3]))).rejects.toThrow()
})
