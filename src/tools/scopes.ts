/** Permissions that a server asks for in the middle of things (step-up authorization of MCP 2025-11-25). */
import { InsufficientScopeError } from '@modelcontextprotocol/client'

/** So many scopes an account has, and each is so long at most. */
const MOST = 40
const LONGEST = 120
/** As RFC 6749 writes them, but for what could be read as markup. */
const SCOPE = /^[A-Za-z0-9!#$%'()+,./:;=?@[\]^_{}~-]+$/

/** The scopes in a text that a server wrote, each once; what is none is left out. */
export function readScopes(text: string | undefined): string[] {
  const words = (text ?? '').slice(0, MOST * LONGEST * 2).split(' ')
  const scopes = words.filter((one) => one.length <= LONGEST && SCOPE.test(one))
  return [...new Set(scopes)].slice(0, MOST)
}

/** All of them, each once. */
export function joinScopes(...lists: (readonly string[])[]): string[] {
  return [...new Set(lists.flat())].slice(0, MOST)
}

/** What a server asks for further, where an error or one of its causes is that it does. */
export function findMissingScopes(error: unknown): string[] | undefined {
  const found = missing(error)
  return found && readScopes(found.requiredScope)
}

/** That reason itself. */
export function missing(error: unknown): InsufficientScopeError | undefined {
  let inner = error
  for (let depth = 0; inner instanceof Error && depth < 5; depth++, inner = inner.cause)
    if (inner instanceof InsufficientScopeError) return inner
  return undefined
}
