/** One page of the documents: front matter as a small header, Markdown as the page below it. */
import { append, el } from './dom.js'
import { markdown } from './render-markdown.js'

const at = (id) => document.getElementById(id)

/** The front matter as names and values, and the text after it. Only `name: value` is understood. */
function takeFront(text) {
  const match = /^---\r?\n([\s\S]*?)\r?\n---\r?\n?/.exec(text)
  const rows = [...(match?.[1] ?? '').matchAll(/^(\w+):[ \t]*(.*?)[ \t]*\r?$/gm)]
  const front = Object.fromEntries(
    rows.map(([, name, value]) => [name, value.replace(/^(["'])(.*)\1$/, '$2')]),
  )
  return { front, body: text.slice(match?.[0].length ?? 0) }
}

/** What a heading is called after the # of an address: its words in small letters, joined by hyphens. */
function nameHeading(words, taken) {
  const plain = words
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replace(/\s/g, '-')
  const times = taken.get(plain) ?? 0
  taken.set(plain, times + 1)
  return times === 0 ? plain : `${plain}-${times}`
}

/** Headings of a message become headings of a page, each with an id. */
function raiseHeadings(main) {
  const taken = new Map()
  for (const old of main.querySelectorAll('h4')) {
    const id = nameHeading(old.textContent, taken)
    old.replaceWith(el(old.className || 'h4', { id }, [...old.childNodes]))
  }
}

/** Addresses that a message cannot open are relative to this page. */
function openRelative(main) {
  for (const shut of main.querySelectorAll('[data-address]')) {
    const { address } = shut.dataset
    const url = URL.canParse(address, location.href) ? new URL(address, location.href) : undefined
    if (url?.origin !== location.origin) continue
    shut.replaceWith(el('a', { href: url.href }, [...shut.childNodes]))
  }
}

function head(front) {
  const facts = [front.updated && `Updated ${front.updated}`, front.owner && `Kept by ${front.owner}`]
  const told = facts.filter(Boolean).join(' · ')
  return told ? el('p', { class: 'facts soft' }, told) : undefined
}

async function draw() {
  const { front, body } = takeFront(await (await fetch(`${location.pathname}?raw`)).text())
  const path = decodeURIComponent(location.pathname).replace(/^\/docs\//, '')
  const main = at('document')
  append(main, markdown(body))
  raiseHeadings(main)
  openRelative(main)
  if (front.title && !main.querySelector('h1')) main.prepend(el('h1', {}, front.title))
  const facts = head(front)
  if (facts) main.querySelector('h1')?.after(facts)
  document.title = `${front.title ?? main.querySelector('h1')?.textContent ?? path} · handbook`
  append(at('where'), [el('a', { href: '/docs' }, 'Handbook'), el('span', { class: 'soft' }, ` / ${path}`)])
  // The place that the address names exists only now.
  if (location.hash) location.replace(location.hash)
}

await draw()
