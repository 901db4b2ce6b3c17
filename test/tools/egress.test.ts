import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { addressKind } from '../../src/tools/address.ts'
import { type Guard, guardedFetch } from '../../src/tools/egress.ts'

const open: Server[] = []
afterEach(async () => {
  for (const server of open.splice(0)) {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
})

type Seen = { path: string; headers: Record<string, string | string[] | undefined>; body: string }

/** A web server here that answers by `answers[path]`, and what it was asked. */
async function site(
  answers: Record<string, (seen: Seen) => { status?: number; headers?: object; body?: string | Buffer }>,
) {
  const seen: Seen[] = []
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    const one = { path: request.url ?? '', headers: request.headers, body }
    seen.push(one)
    const { status = 200, headers = {}, body: said = 'hello' } = answers[one.path]?.(one) ?? { status: 404 }
    response.writeHead(status, headers as Record<string, string>).end(said)
  })
  open.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { port, url: `http://127.0.0.1:${port}`, seen }
}

const to = (status: number, location: string) => () => ({ status, headers: { location } })
const guard = (url: string, more: Partial<Guard> = {}): Guard => ({
  server: 'web',
  url: new URL(url),
  ...more,
})

describe('kinds of addresses', () => {
  test.each([
    [
      'public',
      '8.8.8.8',
      '1.1.1.1',
      '172.15.0.1',
      '172.32.0.1',
      '2606:4700::1111',
      '64:ff9b::808:808',
      '::ffff:8.8.8.8',
    ],
    [
      'private',
      '127.0.0.1',
      '127.9.9.9',
      '10.0.0.1',
      '172.16.0.1',
      '172.31.255.255',
      '192.168.1.1',
      '100.64.0.1',
    ],
    [
      'private',
      '::1',
      'fd00::1',
      '::ffff:127.0.0.1',
      '::ffff:a00:1',
      '64:ff9b::7f00:1',
      '0:0:0:0:0:ffff:c0a8:0101',
    ],
    [
      'special',
      '169.254.169.254',
      '0.0.0.0',
      '0.1.2.3',
      '224.0.0.1',
      '255.255.255.255',
      '198.18.0.1',
      '192.0.0.192',
    ],
    [
      'special',
      '::',
      'fe80::1',
      'fe80::1%eth0',
      'ff02::1',
      'fec0::1',
      '::127.0.0.1',
      '2002:7f00:1::',
      '2001::1',
    ],
    [
      'special',
      '::ffff:169.254.169.254',
      '64:ff9b::a9fe:a9fe',
      '64:ff9b:1::7f00:1',
      '100::1',
      'nonsense',
      '',
    ],
  ])('%s: %s and others like it', (kind, ...addresses) => {
    for (const address of addresses) expect([address, addressKind(address)]).toEqual([address, kind])
  })

  test('however an IPv4 address is written, in a URL or within IPv6, its kind is the same', () => {
    const byte = fc.nat(255)
    fc.assert(
      fc.property(fc.tuple(byte, byte, byte, byte), ([a, b, c, d]) => {
        const plain = `${a}.${b}.${c}.${d}`
        const number = a * 2 ** 24 + b * 65_536 + c * 256 + d
        const spellings = [
          `${number}`,
          `0x${number.toString(16)}`,
          `0${a.toString(8)}.0${b.toString(8)}.0${c.toString(8)}.0${d.toString(8)}`,
          `${a}.${b * 65_536 + c * 256 + d}`,
        ]
        for (const spelling of spellings) expect(new URL(`http://${spelling}/`).hostname).toBe(plain)
        const pair = (x: number, y: number) => (x * 256 + y).toString(16)
        for (const within of [`::ffff:${plain}`, `::ffff:${pair(a, b)}:${pair(c, d)}`, `64:ff9b::${plain}`]) {
          expect(addressKind(within)).toBe(addressKind(plain))
        }
      }),
    )
  })
})

describe('where a server may be reached', () => {
  test('its own address in mcp.json, private or not, and no other port of the same host', async () => {
    const [own, other] = [await site({ '/': () => ({}) }), await site({ '/': () => ({}) })]
    const fetch = guardedFetch(guard(own.url))
    expect(await (await fetch(own.url)).text()).toBe('hello')
    await expect(fetch(other.url)).rejects.toThrow(
      `127.0.0.1:${other.port} is a private address; if web may reach it, list "127.0.0.1:${other.port}" under egress in policy.yaml`,
    )
    expect(other.seen).toEqual([])
  })

  test.each([
    ['127.0.0.1 as a number', 'http://2130706433:8088/'],
    ['127.0.0.1 in octal digits', 'http://0177.0.0.1:8088/'],
    ['0.0.0.0', 'http://0.0.0.0:8088/'],
    ['the metadata service', 'http://169.254.169.254/latest/meta-data/'],
    ['the metadata service within IPv6', 'http://[::ffff:169.254.169.254]/'],
    ['loopback of IPv6', 'http://[::1]:8088/'],
    ['a link-local address', 'http://[fe80::1]:8088/'],
    ['a unique local address', 'http://[fd12::1]:8088/'],
    ['carrier-grade NAT', 'http://100.64.0.1:8088/'],
    ['multicast', 'http://224.0.0.1:8088/'],
  ])('not %s', async (_, url) => {
    const fetch = guardedFetch(guard('https://mcp.example.com/'))
    await expect(fetch(url)).rejects.toMatchObject({ code: 'tool-refused' })
  })

  test('a public name that resolves to a private address is refused, even as one of several', async () => {
    const here = await site({ '/': () => ({}) })
    const lookup = async () => [
      { address: '93.184.215.14', family: 4 },
      { address: '127.0.0.1', family: 4 },
    ]
    const fetch = guardedFetch(guard('https://mcp.example.com/', { lookup }))
    await expect(fetch(`http://rebound.example.com:${here.port}/`)).rejects.toThrow(
      `rebound.example.com:${here.port} leads to 127.0.0.1, a private address`,
    )
    expect(here.seen).toEqual([])
  })

  test('the address that was looked at is the one connected to: the name is resolved once', async () => {
    const here = await site({ '/': () => ({}) })
    let times = 0
    const lookup = async () => {
      times++
      return [{ address: '127.0.0.1', family: 4 }]
    }
    const url = `http://mcp.example.com:${here.port}/`
    expect(await (await guardedFetch(guard(url, { lookup }))(url)).text()).toBe('hello')
    expect(times).toBe(1)
    expect(here.seen[0]?.headers.host).toBe(`mcp.example.com:${here.port}`)
  })

  test('its own name may lead to a private address, but to no link-local one', async () => {
    const url = 'http://mcp.example.com:8088/'
    const lookup = async () => [{ address: '169.254.169.254', family: 4 }]
    await expect(guardedFetch(guard(url, { lookup }))(url)).rejects.toThrow(
      'mcp.example.com:8088 leads to 169.254.169.254, a link-local or reserved address',
    )
  })

  test('no rule opens a link-local address, and neither does an address in mcp.json', async () => {
    const url = 'http://169.254.169.254/latest/'
    for (const egress of [undefined, ['169.254.169.254'], ['169.254.169.254:80']])
      await expect(guardedFetch(guard(url, egress ? { egress } : {}))(url)).rejects.toThrow(
        'a link-local or reserved address',
      )
  })

  test('where rules list hosts, those and no others, its own among the others', async () => {
    const [own, other] = [await site({ '/': () => ({}) }), await site({ '/': () => ({}) })]
    const fetch = guardedFetch(guard(own.url, { egress: [`127.0.0.1:${other.port}`] }))
    expect((await fetch(other.url)).status).toBe(200)
    await expect(fetch(own.url)).rejects.toThrow(
      'is not among the hosts policy.yaml lists under egress for web',
    )
    await expect(fetch('https://example.com/')).rejects.toThrow('is not among the hosts')
    expect(own.seen).toEqual([])
  })

  test('a pattern of hosts lists public addresses only', async () => {
    const lookup = async () => [{ address: '10.0.0.1', family: 4 }]
    const fetch = guardedFetch(guard('https://a.example.com/', { egress: ['*.example.com'], lookup }))
    await expect(fetch('https://a.example.com/')).rejects.toThrow('a private address')
  })
})

describe('redirects', () => {
  test('within an origin: followed, with what was sent', async () => {
    const here = await site({ '/a': to(307, '/b'), '/b': () => ({}) })
    const fetch = guardedFetch(guard(here.url))
    const sent = { method: 'POST', body: 'secret', headers: { authorization: 'Bearer x' } }
    expect((await fetch(`${here.url}/a`, sent)).status).toBe(200)
    expect(here.seen[1]).toMatchObject({ path: '/b', body: 'secret', headers: { authorization: 'Bearer x' } })
  })

  test('to another origin: looked at again', async () => {
    const inside = await site({ '/': () => ({}) })
    for (const location of [
      inside.url,
      'http://169.254.169.254/',
      'http://localhost:8088/',
      'http://[::1]:8088/',
    ]) {
      const here = await site({ '/': to(302, location) })
      await expect(guardedFetch(guard(here.url))(here.url)).rejects.toMatchObject({ code: 'tool-refused' })
    }
    expect(inside.seen).toEqual([])
  })

  test('to another origin that may be reached: a question goes there without secrets, anything else does not', async () => {
    const there = await site({ '/': () => ({ body: 'there' }) })
    const here = await site({ '/': to(307, there.url) })
    const egress = [`127.0.0.1:${here.port}`, `127.0.0.1:${there.port}`]
    const fetch = guardedFetch(guard(here.url, { egress }))
    const headers = { authorization: 'Bearer x', cookie: 'a=b', 'x-api-key': 'k', accept: 'application/json' }
    expect(await (await fetch(here.url, { headers })).text()).toBe('there')
    expect(there.seen).toHaveLength(1)
    const got = there.seen[0]?.headers
    expect(got).toMatchObject({ accept: 'application/json' })
    for (const name of ['authorization', 'cookie', 'x-api-key']) expect(got).not.toHaveProperty(name)
    await expect(fetch(here.url, { method: 'POST', body: 'secret' })).rejects.toThrow(
      'write that address into mcp.json',
    )
    expect(there.seen).toHaveLength(1)
  })

  test('round and round, to a file, or with the body lost: refused', async () => {
    const here = await site({
      '/': to(302, '/'),
      '/file': to(302, 'file:///etc/passwd'),
      '/lost': to(302, '/other'),
    })
    const fetch = guardedFetch(guard(here.url))
    await expect(fetch(here.url)).rejects.toThrow('redirects more than 5 times')
    await expect(fetch(`${here.url}/file`)).rejects.toThrow('no plain web address')
    await expect(fetch(`${here.url}/lost`, { method: 'POST', body: 'x' })).rejects.toThrow(
      'loses what was sent',
    )
  })
})

test('a body is read up to its cap, whatever it was packed into', async () => {
  const bomb = gzipSync(Buffer.alloc(50_000_000))
  const here = await site({ '/': () => ({ headers: { 'content-encoding': 'gzip' }, body: bomb }) })
  const response = await guardedFetch(guard(here.url), { maxBytes: 100_000 })(here.url)
  await expect(response.text()).rejects.toThrow('larger than 100000 bytes')
})

test('an answer that takes too long is given up', async () => {
  const server = createServer((_, response) => void response.writeHead(200).write('{'))
  open.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  const response = await guardedFetch(guard(url), { timeoutMs: 200 })(url)
  await expect(response.text()).rejects.toThrow()
})
