/** What an error of a call means: was it refused, or may it have run? */
import {
  ProtocolError,
  SdkError,
  SdkErrorCode,
  SdkHttpError,
  UnauthorizedError,
} from '@modelcontextprotocol/client'
import { Fault } from '../core/fault.ts'
import { lostWhy } from './lost.ts'

/** `broken`: the connection, and with it every other call on it, is of no further use. */
export type Settled = { outcome: 'failed' | 'unknown'; text: string; broken: boolean }

/** Errors of connecting: nothing of the request has left. */
const BEFORE_SENDING = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'ERR_TLS_CERT_ALTNAME_INVALID',
])

/**
 * Sorts an error of a call. Only what surely did not run, or what the server itself answered as an error, is
 * `failed`; everything else is `unknown`.
 *
 * @param why how the connection ended, in words, where that is known
 */
export function settleError(error: unknown, server: string, why?: string): Settled {
  const failed = (text: string, broken = false): Settled => ({ outcome: 'failed', text, broken })
  const unknown = (text: string, broken = false): Settled => ({
    outcome: 'unknown',
    text: `${text} The call may have run.`,
    broken,
  })
  const lost = lostWhy(error)
  if (lost === 'oversized') return unknown(`${server} answered with more than 8 MB, which was not read.`)
  const cut = `The connection to ${server} was lost before an answer came${why ? `: ${why}` : ''}.`
  if (lost === 'dropped') return unknown(cut)
  // Of the guard, or of signing in: nothing has left.
  if (error instanceof Fault) return failed(`${server} cannot be reached: ${error.message}.`)
  if (error instanceof ProtocolError) return failed(`${server} refused the call: ${error.message}`)
  if (error instanceof UnauthorizedError) return failed(`${server} asks for other credentials.`, true)
  if (error instanceof SdkHttpError) {
    const said = `${server} answered with HTTP status ${error.status}.`
    if (error.status >= 500) return unknown(said)
    return failed(said, error.status <= 404)
  }
  if (error instanceof SdkError) {
    if (error.code === SdkErrorCode.NotConnected) {
      return failed(`${server} is not connected: ${why ?? error.message}.`, true)
    }
    if (error.code === SdkErrorCode.UnsupportedResultType) {
      return failed(`${server} asked for further input, which cannot be given here.`)
    }
    if (error.code === SdkErrorCode.ConnectionClosed) return unknown(cut, true)
    return unknown(`${server} answered something that is not a result.`)
  }
  const code = causeCode(error)
  if (code !== undefined && BEFORE_SENDING.has(code)) {
    return failed(`${server} cannot be reached (${code}).`, true)
  }
  if (error instanceof Error && error.message === 'Not connected') {
    return failed(`${server} is not connected${why ? `: ${why}` : ''}.`, true)
  }
  return unknown(cut)
}

/** A failure to connect in words: the innermost reason is the one that helps. */
export function describe(error: unknown): string {
  let inner = error
  while (inner instanceof Error && inner.cause instanceof Error) inner = inner.cause
  if (inner instanceof AggregateError && inner.errors[0] instanceof Error) inner = inner.errors[0]
  const message = inner instanceof Error ? inner.message : String(inner)
  return message.replaceAll(/\s+/g, ' ').slice(0, 300)
}

function causeCode(error: unknown): string | undefined {
  for (let inner = error, depth = 0; inner instanceof Error && depth < 5; depth++) {
    const { code } = inner as { code?: unknown }
    if (typeof code === 'string') return code
    inner = inner instanceof AggregateError ? inner.errors[0] : inner.cause
  }
  return undefined
}
