/** Secrets and addresses: the whole environment Quorum reads, in one object. */
import { z } from 'zod'

const empty = (schema: z.ZodType<string | undefined>) =>
  z.preprocess((v) => (v === '' ? undefined : v), schema)
const text = (about: string) => empty(z.string().optional()).describe(about)

export const Env = z.object({
  SLACK_BOT_TOKEN: text('Bot token of the Slack app, `xoxb-…`.'),
  SLACK_APP_TOKEN: text(
    'App-level token, `xapp-…`, for Socket Mode. Without it the app listens for signed HTTP.',
  ),
  SLACK_SIGNING_SECRET: text('Signing secret; needed for HTTP mode.'),
  SLACK_CLIENT_ID: text(
    'Client id of the Slack app: with it workspaces are installed by the page /slack/install.',
  ),
  SLACK_CLIENT_SECRET: text('Client secret of the Slack app; needed with SLACK_CLIENT_ID.'),
  SLACK_API_URL: text('Another address of the Slack Web API; only for the local workspace and tests.'),
  DATABASE_URL: text('PostgreSQL 15+ with pgvector. Empty: the embedded database under QUORUM_DATA.'),
  REDIS_URL: text('Valkey 8 or Redis 7. Empty: the embedded Valkey, in this process only.'),
  QUORUM_HOME: z.string().default('home').describe('The directory that describes the deployment.'),
  QUORUM_DATA: z.string().default('.quorum').describe('Where embedded engines keep their files.'),
  QUORUM_SLOTS: z.coerce
    .number()
    .int()
    .min(1)
    .max(500)
    .default(16)
    .describe('Runs one process advances at once.'),
  HOST: z.string().default('127.0.0.1').describe('Address to listen on for health and signed HTTP.'),
  PORT: z.coerce.number().int().min(0).max(65535).default(3000).describe('Port for health and signed HTTP.'),
  QUORUM_URL: empty(z.url({ protocol: /^https?$/, error: 'not a web address' }).optional()).describe(
    'Where browsers reach this deployment, for Connect and for installing. Empty: `http://HOST:PORT`, on this machine only.',
  ),
  QUORUM_SECRET: text(
    'Seals the tokens of installed workspaces and connected accounts: 32 bytes as base64 or hex (`openssl rand -base64 32`). Several, with commas: the first seals, all open. Empty: a key file under QUORUM_DATA beside the embedded database; with DATABASE_URL nobody can connect or install.',
  ),
  QUORUM_WORKSPACE: text(
    'The workspace that commands such as search and sources are about, where several are installed.',
  ),
  OPENAI_BASE_URL: empty(z.url({ protocol: /^https?$/, error: 'not a web address' }).optional()).describe(
    'An OpenAI-compatible endpoint, used where the home has no models.yaml.',
  ),
  OPENAI_API_KEY: text('Key for OPENAI_BASE_URL, or for OpenAI itself where no address is given.'),
  OPENAI_MODEL: text('Model to ask for at OPENAI_BASE_URL; the first one it lists where empty.'),
  LOG_LEVEL: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'silent'])
    .default('info')
    .describe('How much is logged, as JSON lines on standard error.'),
})
export type Env = z.infer<typeof Env>
