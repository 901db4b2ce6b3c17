/** As whom the commands for knowledge speak to Slack: by the environment's token, or as an installed workspace. */
import { openTokens } from '../agent/installs/tokens.ts'
import type { Env } from '../core/env.ts'
import { Fault } from '../core/fault.ts'
import { openSpeaker, type Speaker } from '../slack/speak.ts'
import { listServed } from '../store/installs.ts'
import type { Store } from '../store/open.ts'
import { heldBy } from './workspaces.ts'

/** Undefined where no workspace is connected. @throws Fault */
export async function openSpeakerFor(env: Env, { pool }: Pick<Store, 'pool'>): Promise<Speaker | undefined> {
  const { SLACK_API_URL: apiUrl, SLACK_BOT_TOKEN: botToken, QUORUM_WORKSPACE: wanted } = env
  if (botToken) return openSpeaker({ botToken, apiUrl })
  const served = env.SLACK_CLIENT_ID ? await listServed(pool) : []
  const [only, ...more] = wanted ? served.filter(({ workspace }) => workspace === wanted) : served
  if (more.length > 0) {
    const all = served.map(({ workspace, name }) => `${workspace} (${name})`).join(', ')
    throw new Fault('config-invalid', `Set QUORUM_WORKSPACE to the workspace this is about: ${all}.`)
  }
  if (!only) {
    if (wanted) throw new Fault('config-invalid', `Quorum is not installed in QUORUM_WORKSPACE, ${wanted}.`)
    return undefined
  }
  const tokens = openTokens({ pool, log: () => {}, ...heldBy(env) }, only.holder, only.id)
  return openSpeaker({ botToken: tokens, workspace: only.workspace, apiUrl })
}
