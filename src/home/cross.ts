/** What one file of a home says about another. */
import type { z } from 'zod'
import type { Budgets } from '../core/budget.ts'
import type { Agent, McpFile, Models, Sources } from '../core/home.ts'
import type { Lock } from '../core/lock.ts'
import type { Policy } from '../core/rules.ts'
import { checkModels } from './cross-models.ts'
import { checkRules } from './cross-policy.ts'
import { hint } from './nearest.ts'
import type { Path, Placed } from './placed.ts'
import type { Problem } from './problem.ts'

/** The files as far as they could be read; one that is wrong in itself, or missing, is undefined. */
export type Files = {
  agents: Agent[]
  tools: z.infer<typeof McpFile> | undefined
  policy: Policy | undefined
  lock?: Lock | undefined
  models: Models | undefined
  budgets: Budgets | undefined
  sources: Sources | undefined
  env: Record<string, string | undefined>
}

/**
 * Adds a problem for every name that leads nowhere: a pool, a source, a tool server, a variable of the environment.
 * A name is only looked for in a file that is right in itself, so that one slip does not make ten lines.
 */
export function checkTogether(
  files: Files,
  known: { problems: Problem[]; placed: Map<string, Placed> },
): void {
  const wrong = new Set(known.problems.map(({ file }) => file))
  const names = {
    'mcp.json': Object.keys(files.tools?.mcpServers ?? {}),
    'models.yaml': Object.keys(files.models?.pools ?? {}),
    'sources.yaml': Object.keys(files.sources?.sources ?? {}),
  }
  const report = (file: string, path: Path, what: string | undefined) => {
    if (what === undefined) return
    known.problems.push({ file, line: known.placed.get(file)?.lineOf(path) ?? 1, what })
  }
  const missing = (target: keyof typeof names, kind: string, name: string) =>
    wrong.has(target) || names[target].includes(name)
      ? undefined
      : `there is no ${kind} "${name}" in ${target}${hint(name, names[target])}`
  const unmatched = (pattern: string) =>
    patternProblem(pattern, (server) => missing('mcp.json', 'server', server))

  for (const agent of files.agents) {
    const file = `agents/${agent.name}.md`
    if (agent.model !== undefined) report(file, ['model'], missing('models.yaml', 'pool', agent.model))
    for (const [index, pattern] of (agent.tools ?? []).entries()) {
      report(file, ['tools', index], unmatched(pattern))
    }
    for (const [index, source] of (agent.knowledge ?? []).entries()) {
      report(file, ['knowledge', index], missing('sources.yaml', 'source', source))
    }
  }
  for (const [name, source] of Object.entries(files.sources?.sources ?? {})) {
    if ('tool_server' in source)
      report(
        'sources.yaml',
        ['sources', name, 'tool_server'],
        missing('mcp.json', 'server', source.tool_server),
      )
  }
  const agents = files.agents.map(({ name }) => name)
  const { agents: budgeted = {}, fairness } = files.budgets ?? {}
  for (const [path, named] of [
    [['agents'], budgeted],
    [['fairness', 'agents'], fairness?.agents ?? {}],
  ] as const) {
    for (const name of Object.keys(named)) {
      if (!agents.includes(name))
        report('budgets.yaml', [...path, name], `there is no agent "${name}"${hint(name, agents)}`)
    }
  }
  for (const { path, what } of checkRules(files, unmatched)) report('policy.yaml', path, what)
  for (const { path, what } of checkModels(files.models, files.env)) report('models.yaml', path, what)
}

/** A pattern that can match no tool is a rule that silently does nothing. */
function patternProblem(
  pattern: string,
  missingServer: (server: string) => string | undefined,
): string | undefined {
  const [server, tool] = pattern.split('__', 2)
  if (server === undefined || server.includes('*')) return undefined
  if (tool === undefined)
    return `"${pattern}" matches no tool; tools are called server__tool, as filesystem__read*`
  return missingServer(server)
}
