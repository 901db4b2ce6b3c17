/** Which addresses are on the open network, by the registries of special purpose addresses (RFC 6890 and after). */
import { BlockList, isIPv4, isIPv6 } from 'node:net'

/**
 * `public`: on the open network. `private`: this machine or the network around it, which can be listed.
 * `special`: link-local (the metadata service of clouds among them), multicast, reserved, unspecified.
 */
export type AddressKind = 'public' | 'private' | 'special'

const PRIVATE = blockList([
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['::1', 128],
  ['fc00::', 7],
])

const SPECIAL = blockList([
  ['0.0.0.0', 8],
  ['169.254.0.0', 16],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.31.196.0', 24],
  ['192.52.193.0', 24],
  ['192.88.99.0', 24],
  ['192.175.48.0', 24],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['2620:4f:8000::', 48],
  ['3fff::', 20],
])

/** All that is given out on the open network with IPv6; the rest is special or private. */
const GLOBAL = blockList([['2000::', 3]])
/** IPv4 addresses written as IPv6 ones: mapped, and translated by NAT64. */
const EMBEDDING = blockList([['64:ff9b::', 96]])

/** The kind of an IP address; what is none is `special`. Zone ids (`fe80::1%eth0`) are left out of account. */
export function addressKind(address: string): AddressKind {
  const [bare = ''] = address.split('%')
  if (isIPv4(bare)) return kind4(bare)
  if (!isIPv6(bare)) return 'special'
  const embedded = embedded4(bare)
  if (embedded !== undefined) return kind4(embedded)
  if (PRIVATE.check(bare, 'ipv6')) return 'private'
  return GLOBAL.check(bare, 'ipv6') && !SPECIAL.check(bare, 'ipv6') ? 'public' : 'special'
}

function kind4(address: string): AddressKind {
  if (PRIVATE.check(address, 'ipv4')) return 'private'
  return SPECIAL.check(address, 'ipv4') ? 'special' : 'public'
}

/** The IPv4 address inside an IPv6 one. */
function embedded4(address: string): string | undefined {
  // The parser of URLs writes every spelling in one way: groups of hexadecimal digits, the longest zeros left out.
  const plain = new URL(`http://[${address}]/`).hostname.slice(1, -1)
  const tail = plain.match(/^(?:::ffff:|64:ff9b::)(?:([0-9a-f]{1,4}):)?([0-9a-f]{1,4})$/)
  if (!tail && !EMBEDDING.check(address, 'ipv6')) return undefined
  const high = Number.parseInt(tail?.[1] ?? '0', 16)
  const low = Number.parseInt(tail?.[2] ?? '0', 16)
  return [high >> 8, high & 255, low >> 8, low & 255].join('.')
}

function blockList(subnets: [string, number][]): BlockList {
  const list = new BlockList()
  for (const [net, prefix] of subnets) list.addSubnet(net, prefix, isIPv4(net) ? 'ipv4' : 'ipv6')
  return list
}
