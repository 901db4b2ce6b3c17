/** The one clear sentence a person gets when something went wrong, with the run to ask about. */
import type { FaultCode } from './fault.ts'

const SENTENCES: Partial<Record<FaultCode, string>> = {
  'model-unreachable': 'I cannot reach the model server, so I could not answer. Ask again in a few minutes.',
  'model-refused':
    'The model server refused my request. Somebody who runs me should look at `quorum doctor`.',
  'model-overloaded': 'The model server is overloaded. Ask again in a few minutes.',
  'model-too-long':
    'This is longer than the model can read. Ask again with a shorter text or in a new thread.',
  'model-stalled': 'The model stopped in the middle of its answer, twice. Ask again in a moment.',
  'model-cut': 'The answer of the model was cut off, twice. Ask again in a moment.',
  'model-unpaid':
    'Only a cloud model could answer this, and no budget in dollars allows it. Somebody who runs me should look at `quorum doctor`.',
  'model-nonsense':
    'The model sent something that is not an answer, twice. Ask again, perhaps in other words.',
}

/** How people and logs name a run: the first eight characters of its id. */
export function shortRun(run: string): string {
  return run.slice(0, 8)
}

/** The sentence for the thread. `code` is a fault's code, or anything else for what nobody foresaw. */
export function tellFault(code: string, run: string): string {
  const sentence =
    SENTENCES[code as FaultCode] ??
    'Something went wrong on my side and I could not finish. Ask again in a moment.'
  return `${sentence} (run ${shortRun(run)})`
}
