/** Made-up ids that look like Slack's. */
import { randomBytes } from 'node:crypto'

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'

/** A prefix and `length` random capitals and digits. */
export function newId(prefix: string, length = 10): string {
  let id = prefix
  for (const byte of randomBytes(length)) id += LETTERS[byte % LETTERS.length]
  return id
}

/** A secret of letters and digits, long enough not to be guessed. */
export function newSecret(): string {
  return randomBytes(24).toString('hex')
}
