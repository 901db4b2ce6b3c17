/** "Ask about this": a question about any message, answered in its thread, or to whoever asks alone. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ModalView } from '@slack/types'
import type { Enclosed, Pointed } from '../../core/enclosed.ts'
import { Fault } from '../../core/fault.ts'
import type { HeardOf } from '../../core/heard.ts'
import { aboutMessage, aboutView } from '../../slack/blocks/about.ts'
import { sayMessage } from '../../slack/blocks/say.ts'
import type { Viewer } from '../../slack/opening.ts'
import type { Speak } from '../../slack/speak.ts'
import { type Mouth, sayForSure } from '../say.ts'
import type { Posted } from './question.ts'

/** Slack waits 3 s for the modal; finding out whether we are in the channel may take so long, in ms. */
const PATIENCE_MS = 1_000

/** The modal for a question about a message. Where Slack does not say in time whether we can answer there, it offers to. */
export async function openAbout(
  { speak }: { speak: Pick<Speak, 'joined'> },
  pointed: Pointed,
  { channel }: Viewer,
): Promise<ModalView> {
  const asked = speak.joined(channel).catch(() => true)
  const here = await Promise.race([asked, sleep(PATIENCE_MS, true, { ref: false })])
  return aboutView(pointed, channel, here)
}

export type AboutContext = Mouth & {
  speak: Pick<Speak, 'post' | 'find' | 'respond' | 'name' | 'direct' | 'permalink'>
}

/**
 * Posts the question: in the thread of the message, or where that is not wished or not possible in the direct messages
 * with whoever asks. Undefined where neither can be: then they were told.
 */
export async function postAbout(
  context: AboutContext,
  key: string,
  heard: HeardOf<'filled'>,
): Promise<Posted | undefined> {
  const direct = heard.values.where !== 'thread'
  return (direct ? undefined : await postInThread(context, key, heard)) ?? postDirectly(context, key, heard)
}

async function postInThread(
  context: AboutContext,
  key: string,
  heard: HeardOf<'filled'>,
): Promise<Posted | undefined> {
  const { workspace, channel, user } = heard
  const thread = heard.thread ?? heard.subject
  const message = aboutMessage(
    await context.speak.name(user),
    questionOf(heard),
    await quoteOf(context, heard),
  )
  const ts = await sayUnlessRefused(context, { owner: key, part: 'question', channel, thread, message })
  if (!ts) return undefined
  const place = { workspace, channel, user, ts, thread, dm: channel.startsWith('D') }
  return { message: { ...asked(heard), ...place }, also: {} }
}

/** Only they see it, so it may be of anything they can see: the message was theirs to see when they asked about it. */
async function postDirectly(
  context: AboutContext,
  key: string,
  heard: HeardOf<'filled'>,
): Promise<Posted | undefined> {
  const { workspace, channel: from, user, subject } = heard
  const [quote, link] = await Promise.all([quoteOf(context, heard), context.speak.permalink(from, subject)])
  const channel = await unlessRefused(context.speak.direct(user))
  const message = aboutMessage(undefined, questionOf(heard), { ...quote, link })
  const ts = channel && (await sayUnlessRefused(context, { owner: key, part: 'direct', channel, message }))
  if (channel && ts) {
    const about = { channel: from, ts: heard.thread ?? subject }
    return { message: { ...asked(heard), workspace, channel, user, ts, dm: true, about }, also: {} }
  }
  const sentence = 'I can write neither in that thread nor in our direct messages, so I did not take this up.'
  if (heard.responseUrl) await context.speak.respond(heard.responseUrl, sayMessage(sentence))
  return undefined
}

function asked(heard: HeardOf<'filled'>) {
  const { quoted, quotedBy, files } = heard
  const enclosed: Enclosed = {
    ...(quoted ? { quoted } : {}),
    ...(quotedBy ? { quotedBy } : {}),
    ...(files ? { files } : {}),
  }
  const kind = 'message' as const
  return { kind, text: questionOf(heard), mention: true, forOther: false, ...enclosed }
}

function questionOf({ values }: HeardOf<'filled'>): string {
  return String(values.question ?? '')
    .toWellFormed()
    .replaceAll('\0', '')
    .trim()
}

async function quoteOf({ speak }: AboutContext, { quoted, quotedBy }: HeardOf<'filled'>) {
  return { quoted, author: quotedBy && (await speak.name(quotedBy)) }
}

async function sayUnlessRefused(
  context: AboutContext,
  saying: Parameters<typeof sayForSure>[1],
): Promise<string | undefined> {
  return (await unlessRefused(sayForSure(context, saying)))?.ts
}

/** Undefined where Slack will never do it. @throws Fault of a passing failure */
async function unlessRefused<T>(doing: Promise<T>): Promise<T | undefined> {
  try {
    return await doing
  } catch (error) {
    if (!(error instanceof Fault) || error.retry) throw error
    return undefined
  }
}
