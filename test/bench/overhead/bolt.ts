/** The bare side, a process of its own: hear a mention, ask the model, post its answer. It keeps nothing. */
import { App, LogLevel } from '@slack/bolt'
import OpenAI from 'openai'

const { SLACK_BOT_TOKEN, SLACK_APP_TOKEN, SLACK_API_URL, OPENAI_BASE_URL } = process.env as Record<
  string,
  string
>

const app = new App({
  token: SLACK_BOT_TOKEN ?? '',
  appToken: SLACK_APP_TOKEN ?? '',
  socketMode: true,
  logLevel: LogLevel.ERROR,
  clientOptions: { slackApiUrl: SLACK_API_URL ?? '' },
})
const openai = new OpenAI({ baseURL: OPENAI_BASE_URL ?? '', apiKey: 'none' })

app.event('app_mention', async ({ event, client }) => {
  const stream = await openai.chat.completions.create({
    model: 'instant',
    messages: [
      { role: 'system', content: 'You are a teammate.' },
      { role: 'user', content: event.text },
    ],
    stream: true,
  })
  let text = ''
  for await (const part of stream) text += part.choices[0]?.delta.content ?? ''
  await client.chat.postMessage({ channel: event.channel, thread_ts: event.thread_ts ?? event.ts, text })
})

process.once('SIGTERM', () => void app.stop().then(() => process.exit(0)))
await app.start()
