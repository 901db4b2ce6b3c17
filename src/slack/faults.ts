/** Slack's errors as faults. */
import {
  WebAPIHTTPError,
  WebAPIPlatformError,
  WebAPIRateLimitedError,
  WebAPIRequestError,
} from '@slack/web-api'
import { Fault } from '../core/fault.ts'

const TOKEN = new Set([
  'invalid_auth',
  'not_authed',
  'account_inactive',
  'token_revoked',
  'token_expired',
  'no_permission',
  'user_removed_from_team',
  'team_disabled',
])
const PASSING = new Set([
  'internal_error',
  'fatal_error',
  'service_unavailable',
  'request_timeout',
  'team_added_to_org',
])

/** Whether Slack refused the token itself. */
export function isTokenWord(word: string): boolean {
  return TOKEN.has(word)
}

/** Slack's word for why it refused, such as `message_not_found`; undefined where it did not answer at all. */
export function slackWord(error: unknown): string | undefined {
  if (error instanceof WebAPIPlatformError) return error.data.error
  if (error instanceof Fault && error.cause !== undefined) return slackWord(error.cause)
  return undefined
}

/** Whether the call may have reached Slack although no answer came back. */
export function mayHaveArrived(error: unknown): boolean {
  if (error instanceof WebAPIHTTPError) return error.statusCode >= 500
  if (!(error instanceof WebAPIRequestError) || error.original instanceof Fault) return false
  const cause = error.original.cause
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  return code !== 'ECONNREFUSED' && code !== 'ENOTFOUND' && code !== 'EAI_AGAIN'
}

/** The fault for a failed call of `method`. The sentence says what to do where we know. */
export function slackFault(error: unknown, method: string): Fault {
  if (error instanceof Fault) return error
  // There was no token to send it with.
  if (error instanceof WebAPIRequestError && error.original instanceof Fault) return error.original
  if (error instanceof WebAPIRateLimitedError) {
    const sentence = `Slack asks us to wait ${error.retryAfter} s before ${method}.`
    return new Fault('slack-limited', sentence, { retry: true, cause: error })
  }
  if (error instanceof WebAPIPlatformError) return platformFault(error, method)
  if (error instanceof WebAPIHTTPError) {
    const sentence = `Slack answered ${method} with HTTP ${error.statusCode}.`
    return new Fault('slack-unreachable', sentence, { retry: true, cause: error })
  }
  const reason = error instanceof WebAPIRequestError ? error.original : error
  const inner = reason instanceof Error && reason.cause instanceof Error ? reason.cause : reason
  const why = inner instanceof Error ? inner.message : String(inner)
  return new Fault('slack-unreachable', `Slack cannot be reached for ${method}: ${why}`, {
    retry: true,
    cause: error,
  })
}

function platformFault(error: WebAPIPlatformError, method: string): Fault {
  const word = error.data.error.slice(0, 200)
  if (TOKEN.has(word)) {
    const sentence = `Slack refused the token (${word}). Copy it again from the app's settings, or install the app anew.`
    return new Fault('slack-token', sentence, { cause: error })
  }
  if (word === 'missing_scope') {
    const needed = 'needed' in error.data ? String(error.data.needed) : 'it needs'
    const sentence = `The Slack app lacks the scope ${needed} for ${method}. Add it, then install the app again.`
    return new Fault('slack-scope', sentence, { cause: error })
  }
  const details = error.data.response_metadata?.messages?.join(' ') ?? ''
  const sentence = `Slack refused ${method}: ${word}${details ? ` (${details.slice(0, 300)})` : ''}.`
  return new Fault('slack-refused', sentence, { retry: PASSING.has(word), cause: error })
}
