/** The token of a workspace: one that stays, or one that is kept elsewhere and renewed. */
import type { WebClientOptions } from '@slack/web-api'

export type Tokens = {
  /** The one that is good now. @throws Fault slack-token where there is none */
  now(): Promise<string>
  /** Slack did not take it, for this word: whether there is another one by now. */
  refused(word: string): Promise<boolean>
}

/** A token that stays. */
export function fixedToken(token: string): Tokens {
  return { now: async () => token, refused: async () => false }
}

type Fetch = NonNullable<WebClientOptions['fetch']>

/** Sends every request with the token of its moment. */
export function fetchWith(tokens: Tokens): Fetch {
  return async (url, init) => {
    const headers = new Headers(init?.headers)
    headers.set('authorization', `Bearer ${await tokens.now()}`)
    return fetch(url, { ...init, headers })
  }
}
