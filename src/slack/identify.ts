/** Who we are to Slack, and whether we may do what we do. */
import { type Logger, LogLevel, WebClient, type WebClientOptions } from '@slack/web-api'
import { z } from 'zod'
import { Fault } from '../core/fault.ts'
import { type Call, METHODS } from './call.ts'
import type { Log } from './message.ts'
import { fetchWith, type Tokens } from './token.ts'

/** Events the app subscribes to, each with the scope it needs. The manifests are held against this. */
export const EVENTS = {
  app_mention: 'app_mentions:read',
  'message.channels': 'channels:history',
  'message.groups': 'groups:history',
  'message.im': 'im:history',
  'message.mpim': 'mpim:history',
  channel_left: 'channels:read',
  group_left: 'groups:read',
  channel_rename: 'channels:read',
  group_rename: 'groups:read',
  channel_archive: 'channels:read',
  group_archive: 'groups:read',
  channel_unarchive: 'channels:read',
  group_unarchive: 'groups:read',
  channel_deleted: 'channels:read',
  group_deleted: 'groups:read',
  // Slack then also says with each direct message what its author has open; the event itself tells nothing more.
  app_context_changed: undefined,
  app_home_opened: undefined,
  agent_session_stopped: 'assistant:write',
  // The app itself.
  app_uninstalled: undefined,
  tokens_revoked: undefined,
  // Who is who and who is in what.
  member_joined_channel: 'channels:read',
  member_left_channel: 'channels:read',
  channel_shared: 'channels:read',
  channel_unshared: 'channels:read',
  subteam_created: 'usergroups:read',
  subteam_members_changed: 'usergroups:read',
  subteam_updated: 'usergroups:read',
  team_join: 'users:read',
  user_change: 'users:read',
} as const satisfies Record<string, string | undefined>

/** Events of an app that organisations install as well. */
export const ORG_EVENTS = ['team_access_granted', 'team_access_revoked'] as const

/** The slash command, and the buttons of our messages and of App Home. */
export const COMMANDS = ['/quorum'] as const
/** Buttons that open a modal at once: the modal changes nothing, and they are pressed again where it is lost. */
export const OPENERS = ['trace', 'edit', 'answer', 'feedback', 'preferences', 'share', 'settings'] as const
/** Entries of a message's own menu: each opens a modal. The manifests are held against this. */
export const SHORTCUTS = ['ask_about', 'show_trace'] as const
export type Opener = (typeof OPENERS)[number]
export type Shortcut = (typeof SHORTCUTS)[number]
export const ACTIONS = [
  'approve',
  'deny',
  'approve-all',
  'deny-all',
  'again',
  'done',
  'not-done',
  'decline',
  'disconnect',
  'stop',
  'raise',
  /** A button that is a link: Slack tells us, and there is nothing to do. */
  'link',
  ...OPENERS,
] as const

/** Without these something small is missing, and a warning says so. */
const OPTIONAL = new Set([
  'assistant:write',
  'files:read',
  'files:write',
  'im:write',
  'mpim:history',
  'mpim:read',
  'usergroups:read',
])

/** `scopes` is empty where Slack does not tell. */
export type Identity = {
  workspace: string
  /** The workspace's address, with a slash at the end. */
  url: string
  botUser: string
  botId: string
  appId?: string
  scopes: string[]
}

/** Every scope that the app's events, command and calls need. */
export function neededScopes(): string[] {
  const events = Object.values(EVENTS).filter((scope) => scope !== undefined)
  const methods = Object.values(METHODS).flatMap((method) => [...method.scopes])
  return [...new Set<string>(['commands', ...events, ...methods])].sort()
}

const Answer = z.object({
  url: z.url(),
  team_id: z.string(),
  user_id: z.string(),
  bot_id: z.string().optional(),
  app_id: z.string().optional(),
  is_enterprise_install: z.boolean().nullish(),
  response_metadata: z.object({ scopes: z.array(z.string()).optional() }).optional(),
})

/**
 * @param workspace the workspace that is meant, where an organisation's token is good for several
 * @throws Fault slack-token, slack-scope (naming every scope that is missing), slack-unreachable
 */
export async function identify(call: Call, log?: Log, workspace?: string): Promise<Identity> {
  const answer = Answer.parse(await call('auth.test', {}))
  if (!answer.bot_id) {
    throw new Fault(
      'slack-token',
      'SLACK_BOT_TOKEN belongs to a person, not to an app; it must begin with xoxb-.',
    )
  }
  const scopes = answer.response_metadata?.scopes?.filter(Boolean) ?? []
  const missing = scopes.length > 0 ? neededScopes().filter((scope) => !scopes.includes(scope)) : []
  const grave = missing.filter((scope) => !OPTIONAL.has(scope))
  const advice =
    'Add them under OAuth & Permissions (or paste the manifest again), then install the app again.'
  if (grave.length > 0) {
    throw new Fault('slack-scope', `The Slack app lacks these scopes: ${missing.join(', ')}. ${advice}`)
  }
  if (missing.length > 0) {
    log?.('warn', `The Slack app lacks these scopes, which are not vital: ${missing.join(', ')}. ${advice}`)
  }
  return {
    workspace: workspaceOf(answer, workspace),
    url: answer.url,
    botUser: answer.user_id,
    botId: answer.bot_id,
    ...(answer.app_id ? { appId: answer.app_id } : {}),
    scopes,
  }
}

/** Options of every client: bounded, and nothing repeated behind our back. */
export function clientOptions(apiUrl: string | undefined, log: Log | undefined): WebClientOptions {
  return {
    ...(apiUrl ? { slackApiUrl: apiUrl } : {}),
    retryConfig: { retries: 0 },
    timeout: 10_000,
    rejectRateLimitedCalls: true,
    allowAbsoluteUrls: false,
    logger: slackLogger(log),
  }
}

function workspaceOf(answer: z.infer<typeof Answer>, workspace: string | undefined): string {
  if (answer.is_enterprise_install) {
    if (workspace) return workspace
    const sentence =
      'SLACK_BOT_TOKEN is that of a whole organisation: install Quorum by its own page instead (README, Many workspaces).'
    throw new Fault('slack-token', sentence)
  }
  if (workspace && workspace !== answer.team_id)
    throw new Fault('slack-token', `The token that is kept for ${workspace} is that of ${answer.team_id}.`)
  return answer.team_id
}

/** @param team the workspace that calls are about, where an organisation's token is good for several */
export function webClient(
  tokens: Tokens,
  { apiUrl, log, team }: { apiUrl: string | undefined; log: Log | undefined; team?: string | undefined },
): WebClient {
  return new WebClient(undefined, {
    ...clientOptions(apiUrl, log),
    ...(team ? { teamId: team } : {}),
    fetch: fetchWith(tokens),
  })
}

/**
 * Slack's libraries log through ours. Never below `info`: what they would write there holds messages and tokens.
 */
export function slackLogger(log: Log | undefined): Logger {
  const write =
    (level: 'info' | 'warn' | 'error') =>
    (...words: unknown[]) =>
      log?.(level, words.map((word) => (word instanceof Error ? word.message : String(word))).join(' '), {
        from: 'slack',
      })
  return {
    debug: () => {},
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    setLevel: () => {},
    getLevel: () => LogLevel.INFO,
    setName: () => {},
  }
}
