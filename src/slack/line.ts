/** The line to Slack: a socket we open, or signed requests we are sent. */
import { HTTPReceiver, type Receiver, SocketModeReceiver } from '@slack/bolt'
import { WebClient } from '@slack/web-api'
import { Fault } from '../core/fault.ts'
import { slackFault } from './faults.ts'
import { clientOptions, slackLogger } from './identify.ts'
import type { Log } from './message.ts'

export type LineSettings = {
  apiUrl?: string | undefined

  /** Socket Mode where it is there, else signed HTTP. */
  appToken?: string | undefined
  signingSecret?: string | undefined
  /** For HTTP; the events' path is /slack/events. */
  host?: string
  port?: number
  /** For HTTP: further routes on the same port, such as health. */
  customRoutes?: NonNullable<ConstructorParameters<typeof HTTPReceiver>[0]['customRoutes']>
  log?: Log | undefined
}

export type Line = {
  receiver: Receiver
  start(): Promise<void>
  stop(): Promise<void>
  listening(): boolean
  eventsUrl(): string | undefined
}

/** @throws Fault config-invalid, slack-token */
export function lineFor(settings: LineSettings): Line {
  if (settings.appToken) {
    if (settings.appToken.startsWith('xapp-')) return socketLine(settings, settings.appToken)
    throw new Fault(
      'slack-token',
      'SLACK_APP_TOKEN must begin with xapp-: it is the app-level token, not the bot token.',
    )
  }
  if (settings.signingSecret) return httpLine(settings, settings.signingSecret)
  throw new Fault(
    'config-invalid',
    'Set SLACK_APP_TOKEN (Socket Mode) or SLACK_SIGNING_SECRET (signed HTTP).',
  )
}

/**
 * Socket Mode. When a connection breaks, the library makes another; where that fails, we try again, so that it
 * ends when we do and is told once.
 */
function socketLine(settings: LineSettings, appToken: string): Line {
  const { log } = settings
  const quiet: Log = (level, message, fields) => {
    if (!ATTEMPT.test(message)) log?.(level, message, fields)
  }
  const receiver = new SocketModeReceiver({
    appToken,
    logger: slackLogger(quiet),
    processEventErrorHandler: async () => false,
    installerOptions: { clientOptions: clientOptions(settings.apiUrl, quiet) },
  })
  const { client } = receiver
  let [connected, started, stopped] = [false, false, false]
  surviveReconnects(client, { mayThrow: () => !started, over: () => stopped, log })
  client.on('connected', () => {
    connected = true
    log?.('info', 'Connected to Slack')
  })
  client.on('close', () => {
    if (connected && !stopped) log?.('warn', 'The connection to Slack was lost; connecting again')
    connected = false
  })
  return {
    receiver,
    start: async () => {
      try {
        // The library tries for ever what will never be: a token without the scope. So it is asked for once before.
        await new WebClient(appToken, clientOptions(settings.apiUrl, log)).apiCall('apps.connections.open')
        await receiver.start()
        started = true
      } catch (error) {
        throw appTokenFault(slackFault(error, 'apps.connections.open'))
      }
    },
    stop: async () => {
      stopped = true
      if (started)
        await Promise.race([client.disconnect(), new Promise((resolve) => setTimeout(resolve, 1000).unref())])
    },
    listening: () => connected,
    eventsUrl: () => undefined,
  }
}

/** What the library says of every failed attempt. */
const ATTEMPT = /^http request failed|^Failed to retrieve a new WSS URL/

/** Between attempts: soon at first, at most 15 s, and not all processes at once. */
const pauseMs = (failures: number) => Math.min(500 * 1.5 ** failures, 15_000) * (0.5 + Math.random() / 2)

/** The library starts again from a timer of its own, where a failure would end the process. */
function surviveReconnects(
  client: SocketModeReceiver['client'],
  state: { mayThrow(): boolean; over(): boolean; log: Log | undefined },
): void {
  const open = client.start.bind(client)
  let failures = 0
  let told = ''
  client.start = async () => {
    try {
      const opened = await open()
      if (state.over()) await client.disconnect()
      failures = 0
      told = ''
      return opened
    } catch (error) {
      if (state.mayThrow()) throw error
      const why = slackFault(error, 'apps.connections.open').message
      if (why !== told) state.log?.('error', 'Cannot connect to Slack; trying until it works', { error: why })
      told = why
      setTimeout(() => state.over() || client.start(), pauseMs(failures++)).unref()
      return { ok: false } // Nobody reads it.
    }
  }
}

function appTokenFault(fault: Fault): Fault {
  if (fault.code !== 'slack-token') return fault
  const sentence =
    'Slack refused SLACK_APP_TOKEN. It must begin with xapp- and have the scope connections:write.'
  return new Fault('slack-token', sentence, { cause: fault })
}

function httpLine(settings: LineSettings, signingSecret: string): Line {
  const { host = '127.0.0.1', port = 3000 } = settings
  const receiver = new HTTPReceiver({
    signingSecret,
    endpoints: '/slack/events',
    customRoutes: settings.customRoutes ?? [],
    logger: slackLogger(settings.log),
    processEventErrorHandler: async ({ response }) => {
      if (response.headersSent) return false
      response.writeHead(500).end()
      return true
    },
  })
  let url: string | undefined
  let cutAll = () => {}
  return {
    receiver,
    start: async () => {
      const server = await receiver.start({ host, port })
      cutAll = () => server.closeAllConnections()
      const address = server.address()
      const bound = typeof address === 'object' && address ? address.port : port
      url = `http://${host.includes(':') ? `[${host}]` : host}:${bound}/slack/events`
    },
    stop: async () => {
      // A connection that never asks anything would hold the end of the process for a minute.
      const late = setTimeout(cutAll, 500)
      if (url) await receiver.stop()
      clearTimeout(late)
      url = undefined
    },
    listening: () => url !== undefined,
    eventsUrl: () => url,
  }
}
