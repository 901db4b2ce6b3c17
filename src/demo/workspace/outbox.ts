/**
 * What Slack sends to the app: events are repeated until they are acknowledged or given up,
 * clicks and commands are sent once. How an envelope travels is the transport's business.
 */
import { randomUUID } from 'node:crypto'
import type { Json } from './world.ts'

type Kind = 'events_api' | 'interactive' | 'slash_commands'
export type Parcel = {
  envelope: string
  kind: Kind
  payload: Json
  attempt: number
  reason?: string
  /** Slack has given it up. */
  over?: () => boolean
}

/** What became of handing a parcel over once. `lost`: the connection died before the answer. */
export type Handed =
  | { outcome: 'acknowledged'; body?: unknown }
  | { outcome: 'refused'; reason: string; final?: boolean }
  | { outcome: 'lost' }
  | { outcome: 'closed' }

export type Transport = {
  /** Hands over once; `patience` is how long to wait for a connection, absent: as long as it takes. */
  hand(parcel: Parcel, ackMs: number, patience?: number): Promise<Handed>
  close(): void | Promise<void>
}

/** One attempt to deliver. Times are milliseconds of the clock. */
export type Delivery = {
  envelope: string
  kind: Kind
  type: string
  at: number
  acknowledged?: number
  attempt: number
}

export type Outbox = {
  deliveries: Delivery[]
  use(transport: Transport): void
  /** Delivers an event in its own time, repeating it as Slack does. */
  post(event: Json): void
  /** Delivers a click, a submission or a command once; the app's answer, or a plain Error. */
  ask(kind: 'interactive' | 'slash_commands', payload: Json): Promise<unknown>
  redeliver(times: number): void
  shuffle(on: boolean): void
  /** Gives up every event that was not acknowledged. */
  giveUp(): void
  /** Events that are neither acknowledged nor given up. */
  pending(): number
  close(): Promise<void>
}

const SHUFFLE_MS = 30
const KEPT = 50_000

/**
 * @param settings.waits milliseconds before the second, third and fourth attempt
 * @param settings.ackMs how long the app has to acknowledge
 * @param settings.changed called whenever a delivery starts or ends
 */
export function openOutbox(settings: { waits: number[]; ackMs: number; changed: () => void }): Outbox {
  const deliveries: Delivery[] = []
  const pauses = createPauses()
  let transport: Transport | undefined
  let closed = false
  let repeats = 0
  let pending = 0
  let shuffling = false
  let givenUp = 0
  let held: (() => void)[] = []

  async function hand(parcel: Parcel, patience?: number): Promise<Handed> {
    if (closed || !transport) return { outcome: 'closed' }
    const { envelope, kind, attempt } = parcel
    const delivery: Delivery = { envelope, kind, type: typeOf(parcel.payload), at: Date.now(), attempt }
    deliveries.push(delivery)
    if (deliveries.length > KEPT) deliveries.shift()
    if (parcel.over?.()) return { outcome: 'refused', reason: 'given up', final: true }
    const handed = await transport.hand(parcel, settings.ackMs, patience)
    if (handed.outcome === 'acknowledged') delivery.acknowledged = Date.now()
    settings.changed()
    return handed
  }

  function post(event: Json): void {
    if (closed) return
    const again = repeats
    repeats = 0
    pending += 1
    const age = givenUp
    const over = () => givenUp > age
    const start = async () => {
      await deliver(event, again, settings.waits, (parcel) => hand({ ...parcel, over }), pauses.pause)
      pending -= 1
      settings.changed()
    }
    if (!shuffling) {
      void start()
      return
    }
    held.push(start)
    if (held.length === 1) void pauses.pause(SHUFFLE_MS).then(release)
  }

  function release(): void {
    const batch = held.reverse()
    held = []
    for (const start of batch) start()
  }

  return {
    deliveries,
    use(next) {
      void transport?.close()
      transport = next
    },
    post,
    async ask(kind, payload) {
      const handed = await hand({ envelope: randomUUID(), kind, payload, attempt: 0 }, settings.ackMs)
      if (handed.outcome === 'acknowledged') return handed.body
      const why = handed.outcome === 'refused' ? handed.reason : 'the connection was lost'
      throw new Error(`The app did not answer within ${settings.ackMs / 1000} s (${why}).`)
    },
    redeliver(times) {
      repeats = times
    },
    shuffle(on) {
      shuffling = on
    },
    giveUp() {
      givenUp += 1
    },
    pending: () => pending,
    async close() {
      closed = true
      pauses.end()
      await transport?.close()
    },
  }
}

/**
 * Hands an event over until it is acknowledged, then `again` times more. A refusal uses up one of
 * the waits; a lost connection does not, for the event then waits for the next one.
 */
async function deliver(
  payload: Json,
  again: number,
  waits: number[],
  hand: (parcel: Parcel) => Promise<Handed>,
  pause: (ms: number) => Promise<void>,
): Promise<void> {
  const parcel: Parcel = { envelope: randomUUID(), kind: 'events_api', payload, attempt: 0 }
  const left = [...waits]
  for (;;) {
    const handed = await hand(parcel)
    if (handed.outcome === 'acknowledged') break
    if (handed.outcome === 'closed' || (handed.outcome === 'refused' && handed.final)) return
    parcel.reason = handed.outcome === 'refused' ? handed.reason : 'connection_failed'
    if (handed.outcome === 'refused') {
      const ms = left.shift()
      if (ms === undefined) return
      if (ms > 0) await pause(ms)
    }
    parcel.attempt += 1
  }
  for (let time = 0; time < again; time++) {
    parcel.attempt += 1
    parcel.reason = 'timeout'
    await hand(parcel)
  }
}

/** Pauses that all end at once when they are told to. */
function createPauses() {
  const timers = new Map<NodeJS.Timeout, () => void>()
  return {
    pause: (ms: number) =>
      new Promise<void>((resolve) => {
        const timer = setTimeout(() => {
          timers.delete(timer)
          resolve()
        }, ms)
        timers.set(timer, resolve)
      }),
    end() {
      for (const [timer, resolve] of timers) {
        clearTimeout(timer)
        resolve()
      }
      timers.clear()
    },
  }
}

function typeOf(payload: Json): string {
  const event = payload.event as Json | undefined
  return String(event?.type ?? payload.type ?? payload.command ?? '')
}
