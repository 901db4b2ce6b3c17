/** Sealing of what must not be readable in the database: AES-256-GCM, each text bound to the row it stands in. */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'
import { Fault } from '../core/fault.ts'

export type Seal = {
  /** `about` names the row: what is sealed opens there only. */
  seal(plain: string, about: readonly string[]): string
  /**
   * `stale`: it was sealed with an older key and should be sealed again.
   * @throws Fault config-invalid where no key fits, or text and row do not belong together
   */
  open(sealed: string, about: readonly string[]): { plain: string; stale: boolean }
}

const BYTES = 32

export const SECRET_HELP = 'Make one with: openssl rand -base64 32'

/**
 * Reads keys, 32 bytes each as base64 or hex, with commas between them; the first one seals, all of them open.
 * @throws Fault config-invalid; the text itself is not repeated
 */
export function openSeal(secret: string): Seal {
  const keys = secret.split(',').map((text, i) => readKey(text.trim(), i + 1))
  const byName = new Map(keys.map((key) => [nameOf(key), key]))
  const [first] = keys
  if (!first) throw new Error('splitting gives at least one text')
  return {
    seal(plain, about) {
      const iv = randomBytes(12)
      const cipher = createCipheriv('aes-256-gcm', first, iv).setAAD(Buffer.from(JSON.stringify(about)))
      const body = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()])
      return [
        '1',
        nameOf(first),
        ...[iv, cipher.getAuthTag(), body].map((b) => b.toString('base64url')),
      ].join('.')
    },
    open(sealed, about) {
      const [version, name = '', ...parts] = sealed.split('.')
      const [iv, tag, body] = parts.map(decode)
      const key = byName.get(name)
      if (version !== '1' || !iv || !tag || !body || !key) throw unreadable()
      try {
        const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: 16 })
        decipher.setAAD(Buffer.from(JSON.stringify(about))).setAuthTag(tag)
        const plain = Buffer.concat([decipher.update(body), decipher.final()]).toString('utf8')
        return { plain, stale: key !== first }
      } catch {
        throw unreadable()
      }
    },
  }
}

/** Bytes of a part as it was written; undefined where other characters, or unused bits, were put in. */
function decode(part: string): Buffer | undefined {
  const bytes = Buffer.from(part, 'base64url')
  return bytes.toString('base64url') === part ? bytes : undefined
}

function readKey(text: string, position: number): Buffer {
  const hex = /^[0-9a-f]{64}$/i.test(text)
  const key = Buffer.from(text, hex ? 'hex' : 'base64')
  const spelt = hex || /^[A-Za-z0-9+/_-]{43}=?$/.test(text)
  if (spelt && key.length === BYTES) return key
  const which = position === 1 ? '' : ` (number ${position})`
  throw new Fault('config-invalid', `QUORUM_SECRET${which} is not 32 bytes as base64 or hex. ${SECRET_HELP}`)
}

/** Tells keys apart without telling anything of them. */
function nameOf(key: Buffer): string {
  return createHash('sha256').update('quorum seal').update(key).digest('hex').slice(0, 8)
}

function unreadable(): Fault {
  return new Fault(
    'config-invalid',
    'This was sealed under another QUORUM_SECRET: add the former key after a comma, or connect it, or install it, again.',
  )
}
