/** The way to the workspace's server: questions and orders over HTTP, what happens over a WebSocket. */

/** Reads JSON. Throws an Error whose message is the server's own sentence. */
export function ask(path, query = {}) {
  const search = new URLSearchParams(query).toString()
  return send(search ? `${path}?${search}` : path, {})
}

/** Sends an order as JSON and reads the answer. Throws an Error whose message is the server's own sentence. */
export function tell(path, body) {
  return send(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
}

async function send(path, init) {
  let response
  try {
    response = await fetch(path, init)
  } catch {
    throw new Error('The local workspace does not answer. Is it still running?')
  }
  const text = await response.text()
  let body = {}
  try {
    body = text === '' ? {} : JSON.parse(text)
  } catch {
    if (response.ok) throw new Error('The local workspace answered something that is not JSON.')
  }
  if (!response.ok) throw new Error(body.error ?? `The local workspace refused this (${response.status}).`)
  return body
}

/**
 * Listens to everything `as` can see, and reconnects for ever, waiting 0.25 s at first and 4 s at most.
 * `up` runs after every connection: whatever was missed must be read again there.
 */
export function listen(as, { event, up, down }) {
  let socket
  let timer
  let wait = 250
  let closed = false
  const connect = () => {
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws'
    socket = new WebSocket(`${scheme}://${location.host}/ui/live?as=${encodeURIComponent(as)}`)
    socket.addEventListener('open', () => {
      wait = 250
      up()
    })
    socket.addEventListener('message', (frame) => event(JSON.parse(frame.data)))
    socket.addEventListener('close', () => {
      if (closed) return
      down()
      timer = setTimeout(connect, wait)
      wait = Math.min(wait * 2, 4000)
    })
  }
  connect()
  return {
    close() {
      closed = true
      clearTimeout(timer)
      socket.close()
    },
  }
}
