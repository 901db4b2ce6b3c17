/**
 * Failures of the world outside: one class, its code a closed union.
 * Expected outcomes are return values; bugs are plain `Error`.
 */
export const FAULTS = {
  'config-invalid': 'A setting or a file of the home is wrong.',
  'store-unreachable': 'The database cannot be reached.',
  'store-locked': 'Another process already uses this data directory.',
  'store-migration': 'The migrations and the database disagree.',
  'queue-unreachable': 'The queue cannot be reached.',
  'slack-token': 'Slack refused the token.',
  'slack-scope': 'The Slack app lacks a scope.',
  'slack-limited': 'Slack asks us to slow down.',
  'slack-refused': 'Slack refused the call.',
  'slack-unreachable': 'Slack cannot be reached.',
  'model-unreachable': 'The model server cannot be reached.',
  'model-refused': 'The model server refused the request.',
  'model-overloaded': 'The model server is overloaded.',
  'model-too-long': 'The conversation is longer than the model can read.',
  'model-stalled': 'The model stopped sending in the middle of an answer.',
  'model-cut': 'The answer of the model was cut off.',
  'model-unpaid': 'No money may be spent on the only model that could answer.',
  'model-nonsense': 'The model answered something that is not an answer.',
  'embed-unavailable': 'No embedding model is available.',
  'tool-unreachable': 'The tool server cannot be reached.',
  'tool-refused': 'The tool server refused the call.',
  'source-unreadable': 'A source cannot be read.',
} as const

/** Every code a `Fault` can carry. */
export type FaultCode = keyof typeof FAULTS

/**
 * A failure of something outside the process.
 *
 * @property code  what failed, one of {@link FAULTS}
 * @property retry whether the same attempt may succeed later without anybody changing anything
 */
export class Fault extends Error {
  readonly code: FaultCode
  readonly retry: boolean
  constructor(code: FaultCode, message: string, options: { retry?: boolean; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'Fault'
    this.code = code
    this.retry = options.retry ?? false
  }
}
