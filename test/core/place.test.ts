import { expect, test } from 'vitest'
import { placeLink } from '../../src/core/place.ts'

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
