/** Bytes as text, whatever they were written in. */

/**
 * The text of a file: UTF-8, UTF-16 (with or without its mark), or Windows-1252 where that is what it looks like;
 * undefined where it is no text.
 */
export function decodeText(bytes: Uint8Array): string | undefined {
  const wide = wideOf(bytes)
  if (wide) return clean(new TextDecoder(wide).decode(bytes))
  if (bytes.includes(0)) return undefined
  try {
    return clean(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    return decodeOther(bytes)
  }
}

function wideOf(bytes: Uint8Array): 'utf-16le' | 'utf-16be' | undefined {
  const [first, second] = bytes
  if (first === 0xff && second === 0xfe) return 'utf-16le'
  if (first === 0xfe && second === 0xff) return 'utf-16be'
  // Of text in a Latin script every other byte is 0; what has zeros on both sides is no text.
  const head = bytes.subarray(0, 2000)
  if (bytes.length < 4 || bytes.length % 2 === 1 || !head.includes(0)) return undefined
  const zeros = [0, 0]
  for (const [at, byte] of head.entries()) if (byte === 0) zeros[at % 2] = (zeros[at % 2] ?? 0) + 1
  const [even = 0, odd = 0] = zeros
  const most = head.length / 2
  if (odd > most * 0.7 && even < most * 0.02) return 'utf-16le'
  return even > most * 0.7 && odd < most * 0.02 ? 'utf-16be' : undefined
}

/** UTF-8 with a few broken places, or a code page of western Europe, which is mostly ASCII. */
function decodeOther(bytes: Uint8Array): string | undefined {
  let high = 0
  for (const byte of bytes) {
    if (byte >= 0x80) high += 1
    else if (byte < 0x20 && byte !== 9 && byte !== 10 && byte !== 12 && byte !== 13 && byte !== 27)
      return undefined
  }
  const forgiving = new TextDecoder('utf-8').decode(bytes)
  const broken = forgiving.split('\ufffd').length - 1
  if ((high - broken) / 2 > broken * 5) return clean(forgiving)
  return high <= bytes.length * 0.3 ? clean(new TextDecoder('windows-1252').decode(bytes)) : undefined
}

/** Undefined for what decodes and is no text all the same. */
function clean(text: string): string | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are the ones that no text has
  const controls = text.slice(0, 100_000).match(/[\0-\x08\x0e-\x1a\x1c-\x1f]/g)?.length ?? 0
  return controls > Math.min(text.length, 100_000) / 200 ? undefined : text.replaceAll('\0', '\ufffd')
}
