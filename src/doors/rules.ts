/** Opening what `quorum policy` and `quorum tools` need: the home, and for tools every server of mcp.json. */
import { readHome } from '../home/read.ts'
import { openLog } from '../telemetry/log.ts'
import { openTools } from '../tools/open.ts'
import { readEnv } from './environment.ts'
import { policyDoor } from './policy.ts'
import { print } from './print.ts'
import { askTerminal, toolsDoor } from './tools.ts'

export function openPolicy(args: string[]): Promise<number> {
  const env = readEnv()
  return policyDoor(args, { home: () => readHome(env.QUORUM_HOME, process.env), print })
}

export async function openToolsDoor(args: string[]): Promise<number> {
  const env = readEnv()
  const { log } = openLog('warn')
  const home = await readHome(env.QUORUM_HOME, process.env, { accepting: true })
  const { dir, policy, written } = home
  await using tools = openTools(home.servers, { env: process.env, cwd: dir, policy, written, log })
  const ask = askTerminal()
  return await toolsDoor(args, { home, tools, print, ...(ask ? { ask } : {}) })
}
