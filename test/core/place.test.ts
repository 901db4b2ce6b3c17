import { expect, test } from 'vitest'
import { placeLines, placeLink, withoutLines } from '../../src/core/place.ts'

const place = {
  heading: 'Rolling back › In a hurry (v1.2)!',
  start: 120,
  end: 340,
  text: '# \n- Run  the\nscript',
}

test('a citation opens at the heading it stands under, as wikis and code hosts name headings', () => {
  expect(placeLink('https://h/a.md#{heading}', place)).toBe('https://h/a.md#in-a-hurry-v12')
  expect(placeLink('https://h/a.md#{heading}', { ...place, heading: 'Größe & Maß' })).toBe(
    'https://h/a.md#gr%C3%B6%C3%9Fe--ma%C3%9F',
  )
})

test('where nothing is above it, the page itself opens', () => {
  expect(placeLink('https://h/a.md#{heading}', { ...place, heading: '' })).toBe('https://h/a.md')
  expect(placeLink('https://h/a#:~:text={text}', { ...place, text: ' \n ' })).toBe('https://h/a')
  expect(placeLink('https://h/a.md', place)).toBe('https://h/a.md')
})

test('or at its offsets, or at its first words, which browsers look for', () => {
  expect(placeLink('https://h/a?from={start}&to={end}', place)).toBe('https://h/a?from=120&to=340')
  expect(placeLink('https://h/a#:~:text={text}', { ...place, text: 'all-in, now: & then' })).toBe(
    'https://h/a#:~:text=all%2Din%2C%20now%3A%20%26%20then',
  )
})

test('a passage cannot put anything else into the address', () => {
  const text = '{start} "><script> #x {heading}'
  const link = placeLink('https://h/a#:~:text={text}', { ...place, text, heading: '{text}' })
  expect(link).toMatch(/^https:\/\/h\/a#:~:text=[\w%.~!*'()]+$/)
})

test('lines and pages count from 1 in the whole text, and passages with a link of their own keep it', () => {
  const text = 'one\ntwo\n\fthree\nfour'
  const at = (words: string) => ({ start: text.indexOf(words), end: text.indexOf(words) + words.length })
  const placed = (link: string) =>
    placeLines(text, [at('one'), { ...at('two'), link: 'own' }, at('three\nfour')], link).map(
      (one) => Object(one).link,
    )
  expect(placed('x#L{line}')).toEqual(['x#L1', 'own', 'x#L3'])
  expect(placed('x#L{lines}&p={page}')).toEqual(['x#L1-1&p=1', 'own', 'x#L3-4&p=2'])
  expect(placed('x#{heading}')).toEqual([undefined, 'own', undefined])
})

test('the page itself opens without lines', () => {
  expect(withoutLines('https://h/a.md?plain=1#L{line}')).toBe('https://h/a.md?plain=1')
  expect(withoutLines('https://h/a.md?line={line}')).toBe('https://h/a.md')
  expect(withoutLines('https://h/a.md#{heading}')).toBe('https://h/a.md#{heading}')
})
