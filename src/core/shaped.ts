/** Text of a given shape, for schemas of files: what it must be is said in words. */
import { z } from 'zod'

/** A text that fits `shape`; `about` is a noun phrase in lower case, read after the words "must be". */
export function shaped(shape: RegExp, about: string) {
  return z.string(about).regex(shape, about)
}
