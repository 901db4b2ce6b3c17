/**
 * PostgreSQL's wire protocol in front of the one session that PGlite has.
 *
 * Any number of clients may connect. They share the session by turns: a client is admitted with a whole
 * batch of messages (up to Sync or a simple Query) and keeps the session until the server reports that no
 * transaction is open. So transactions never interleave, and whatever a lost client left open is rolled back.
 *
 * What is per session and not per transaction is shared, as behind a transaction pooler: `set` without
 * `local`, named prepared statements, temporary tables.
 */
import { createServer, type Server, type Socket } from 'node:net'

/** The part of PGlite that is needed here. */
export type WireEngine = {
  execProtocolRawStream(message: Uint8Array, options: { onRawData(data: Uint8Array): void }): Promise<void>
}

type Client = { socket: Socket; greeted: boolean; batch: Buffer[]; ready: Buffer[]; gone: boolean }

const startupCodes = { protocol3: 3, ssl: 80877103, gss: 80877104, cancel: 80877102 }
const idle = 'I'.charCodeAt(0)

/** A frontend message: one letter, its length, its body. */
function frame(letter: string, body: string): Buffer {
  const message = Buffer.alloc(5 + Buffer.byteLength(body))
  message.write(letter)
  message.writeInt32BE(message.length - 1, 1)
  message.write(body, 5)
  return message
}

const startup = (() => {
  const body = Buffer.from('\0user\0postgres\0database\0postgres\0client_encoding\0UTF8\0\0')
  const message = Buffer.alloc(7 + body.length)
  message.writeInt32BE(message.length, 0)
  message.writeInt16BE(startupCodes.protocol3, 4)
  body.copy(message, 7)
  return message
})()

/**
 * Ends whatever a client that is gone left open. The first rollback undoes a batch that was not synced, which
 * Sync would commit; it is skipped where an error in the batch waits for Sync, so there is a second one.
 */
const undo = Buffer.concat([frame('Q', 'rollback\0'), frame('S', ''), frame('Q', 'rollback\0')])

const flush = frame('H', '')

/** Messages after which the client waits for an answer: Query, Sync, Flush, FunctionCall, CopyDone, CopyFail. */
const endsBatch = new Set(['Q', 'S', 'H', 'F', 'c', 'f'].map((letter) => letter.charCodeAt(0)))
const terminate = 'X'.charCodeAt(0)

/** Larger than any statement of ours; what claims to be larger is not PostgreSQL's protocol. */
const longestMessage = 1 << 28

/**
 * Cuts a stream of bytes into messages. `greeted` tells whether the startup message, which has no letter, is
 * behind us; `refuse` is called where the bytes cannot be a message, and nothing after that.
 */
function cutMessages(greeted: () => boolean, take: (message: Buffer) => void, refuse: () => void) {
  let held: Buffer[] = []
  let size = 0
  let need = 1
  /** The length of the first message, or of the shortest one where the bytes do not tell yet. */
  const measure = (bytes: Buffer) => {
    const letter = greeted() ? 1 : 0
    const shortest = greeted() ? 5 : 8
    if (bytes.length < shortest) return shortest
    const length = letter + bytes.readInt32BE(letter)
    return length < shortest || length > longestMessage ? Number.NaN : length
  }
  return (chunk: Buffer) => {
    held.push(chunk)
    size += chunk.length
    while (size >= need) {
      const bytes = held.length === 1 ? (held[0] as Buffer) : Buffer.concat(held)
      held = [bytes]
      need = measure(bytes)
      if (Number.isNaN(need)) return refuse()
      if (size < need) return
      take(bytes.subarray(0, need))
      held = [bytes.subarray(need)]
      size -= need
      need = 1
    }
  }
}

/**
 * Builds the server; the caller makes it listen, and closes it before it closes the engine.
 * `failed` is called when the engine itself breaks: nothing can be served after that.
 */
export async function serveWire(engine: WireEngine, failed: (error: unknown) => void): Promise<Server> {
  const run = async (batch: Uint8Array) => {
    const out: Buffer[] = []
    await engine.execProtocolRawStream(batch, { onRawData: (data) => out.push(Buffer.from(data)) })
    return Buffer.concat(out)
  }
  const greeting = await run(startup)
  const waiting: Client[] = []
  let holder: Client | undefined
  let busy = false

  const next = () => {
    if (!holder) holder = waiting.shift()
    if (!holder) return
    return holder.gone ? undo : holder.ready.shift()
  }

  const pump = async () => {
    if (busy) return
    busy = true
    try {
      for (let batch = next(); batch; batch = next()) {
        const client = holder as Client
        const answer = await run(batch)
        // The engine swallows what broke it; after that it answers nothing. A flush may have no answer.
        if (answer.length === 0 && !batch.subarray(-flush.length).equals(flush))
          throw new Error('The database engine gave no answer')
        if (!client.gone) client.socket.write(answer)
        const letter = answer.length >= 6 ? answer[answer.length - 6] : 0
        const settled = letter === 'Z'.charCodeAt(0) && answer[answer.length - 1] === idle
        if (!settled) continue
        holder = undefined
        if (client.ready.length > 0 && !client.gone) waiting.push(client)
      }
    } catch (error) {
      failed(error)
      return
    }
    busy = false
  }

  const accept = (client: Client, message: Buffer) => {
    if (message[0] === terminate) return client.socket.end()
    client.batch.push(message)
    if (!endsBatch.has(message[0] as number)) return
    client.ready.push(Buffer.concat(client.batch))
    client.batch = []
    if (client !== holder && !waiting.includes(client)) waiting.push(client)
    void pump()
  }

  const greet = (client: Client, message: Buffer) => {
    const code = message.readInt32BE(4)
    if (code === startupCodes.ssl || code === startupCodes.gss) return client.socket.write('N')
    if (code === startupCodes.cancel || code >> 16 !== startupCodes.protocol3) return client.socket.destroy()
    client.greeted = true
    client.socket.write(greeting)
  }

  return createServer({ noDelay: true }, (socket) => {
    const client: Client = { socket, greeted: false, batch: [], ready: [], gone: false }
    socket.on(
      'data',
      cutMessages(
        () => client.greeted,
        (message) => (client.greeted ? accept(client, message) : greet(client, message)),
        () => socket.destroy(),
      ),
    )
    socket.on('error', () => socket.destroy())
    socket.on('close', () => {
      client.gone = true
      const place = waiting.indexOf(client)
      if (place >= 0) waiting.splice(place, 1)
      if (client === holder) void pump()
    })
  })
}
