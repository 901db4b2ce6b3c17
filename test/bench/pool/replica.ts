/** One replica with a virtual GPU, a process of its own. Its options come as JSON; it prints its address. */
import { openVllm, type VllmOptions } from '../../support/vllm-server.ts'

/** `answerTokens`: how long each answer is. */
export type ReplicaOptions = Omit<VllmOptions, 'reply'> & { answerTokens: number }

const { answerTokens, ...options } = JSON.parse(process.argv[2] ?? '{}') as ReplicaOptions
const word = 'so it is and so it was '
const text = word.repeat(Math.ceil((answerTokens * 4) / word.length)).slice(0, answerTokens * 4)
const server = await openVllm({ ...options, reply: () => ({ text }) })
process.stdout.write(`${server.url}\n`)
