/** Says in words what became of tool calls. */
import type { PastCall } from './read.ts'

const LONGEST_RESULT = 1_500

/** Whether the call ran and the tool reported no error. */
export function succeeded({ result }: PastCall): boolean {
  return !/^(Not run|Outcome unknown|The tool reported an error|Error\b)/i.test(result.trim())
}

/** One paragraph or list for every call, in order. */
export function tellResults(calls: PastCall[]): string {
  return calls.map(tellResult).join('\n\n')
}

function tellResult(call: PastCall): string {
  const name = `\`${call.name.split('__').at(-1)}\``
  const result = call.result.trim()
  const reason = enclosed(result.replace(/^[^.:\n]*(?:[.:]|$)\s*/, ''))
  if (/^Not run: a person denied/i.test(result)) {
    const why = result.replace(/^[^.]*\.\s*/, '')
    return `${name} did not run: it was denied${why ? ` (${trimDot(why)})` : ''}. I leave it at that.`
  }
  if (/^Not run: the approval expired/i.test(result))
    return `${name} did not run: nobody decided in time and the approval expired. Ask me again if you still want it.`
  if (/^Not run: the policy/i.test(result)) return `${name} did not run: ${trimDot(reason)}.`
  if (/^Not run/i.test(result)) return `${name} did not run: ${trimDot(reason || 'it is not decided yet')}.`
  if (/^Outcome unknown/i.test(result))
    return `I do not know whether ${name} ran: the call left and no answer came back. Please check before you ask me again.`
  if (!succeeded(call))
    return `${name} ran and failed: ${trimDot(cut(enclosed(result).replace(/\s+/g, ' '), 300))}.`
  return tellSuccess(call, name, enclosed(result))
}

function tellSuccess({ name, args }: PastCall, shown: string, text: string): string {
  const own = name.split('__').at(-1) ?? ''
  const { path } = (args ?? {}) as { path?: unknown }
  const graph = parseGraph(text)
  if (graph) return tellGraph(graph, /^(create|add)/.test(own))
  if (/^(read|get|open|show)/.test(own)) return `${path ? `\`${path}\`` : shown} holds:\n\n${fenced(text)}`
  if (/^(list|search|find|directory)/.test(own))
    return /^(no\b|\s*$)/i.test(text)
      ? `There is nothing${path ? ` in \`${path}\`` : ''}.`
      : `I found:\n\n${fenced(text)}`
  if (text === '') return `Done: ${shown} ran.`
  return text.length <= 200 && !text.includes('\n')
    ? `Done: ${trimDot(text)}.`
    : `Done: ${shown} ran.\n\n${fenced(text)}`
}

type Entity = { name?: string; entityType?: string; observations?: string[] }

function parseGraph(text: string): Entity[] | undefined {
  try {
    const value = JSON.parse(text)
    const entities = Array.isArray(value) ? value : value?.entities
    const isGraph = Array.isArray(entities) && entities.every((each) => typeof each?.name === 'string')
    return isGraph ? entities : undefined
  } catch {
    return undefined
  }
}

function tellGraph(entities: Entity[], written: boolean): string {
  if (entities.length === 0) return written ? 'I had that noted already.' : 'I remember nothing about that.'
  const lines = entities.slice(0, 20).map(({ name, observations }) => {
    const said = (observations ?? []).join('; ')
    return `- ${!said || said.startsWith((name ?? '').replace(/ …$/, '')) ? said || name : `${name}: ${said}`}`
  })
  return `${written ? 'Noted:' : 'I remember:'}\n${lines.join('\n')}`
}

function enclosed(result: string): string {
  return (
    /<result>\n?([\s\S]*?)\n?<\/result>/.exec(result)?.[1] ??
    result.replace(/^The tool reported an error:\s*/, '')
  ).trim()
}

function fenced(text: string): string {
  const fence = text.includes('```') ? '````' : '```'
  return `${fence}\n${cut(text, LONGEST_RESULT)}\n${fence}`
}

function cut(text: string, limit: number): string {
  return text.length <= limit ? text : `${text.slice(0, limit)} …`
}

function trimDot(text: string): string {
  return text.trim().replace(/[.\s]+$/, '')
}
