/** Addresses in the arguments of a call, and the hosts they lead to. Pure. */

/** Where an address leads: `host` in lower case, `port` as written or as its scheme has it. */
export type Address = { host: string; port: number | undefined }

/** Names of arguments whose text is an address also where it has no scheme. */
const NAMES =
  /(^|_)(urls?|uris?|links?|href|web_?sites?|web_?pages?|sites?|domains?|hosts?|host_?names?|endpoints?|web_?hooks?|feeds?|callback)$/i

const PORTS: Record<string, number> = { 'http:': 80, 'https:': 443, 'ws:': 80, 'wss:': 443, 'ftp:': 21 }

/** Whether an argument of this name holds an address. */
export function namesAddress(name: string): boolean {
  return NAMES.test(name.replace(/([a-z])([A-Z])/g, '$1_$2'))
}

/** Every address in the arguments: whatever has a scheme, and what stands in an argument that is named for one. */
export function addressesIn(args: unknown, name = ''): Address[] {
  if (typeof args === 'string') {
    const scheme = /(?:https?|wss?|ftp):[/\\]*(?=[^\s"'<>`])|[a-z][a-z0-9+.-]{0,30}:[/\\]{2}/
    const found = [...args.matchAll(new RegExp(`(?:${scheme.source})[^\\s"'<>\`]*`, 'gi'))].map(
      ([text]) => text,
    )
    // A client reads an address without the line ends in it: what stands after one may be its host.
    const whole = args.trim().replace(/[\t\n\r]/g, '')
    const begins = new RegExp(`^(?:${scheme.source})`, 'i').test(whole)
    if (whole !== args.trim() && begins && hostOf(whole)) found.push(whole)
    if (found.length === 0 && (namesAddress(name) || /^(www\.|\/\/)/i.test(args.trim()))) found.push(args)
    return found.map((text) => hostOf(text) ?? { host: text.slice(0, 100), port: undefined })
  }
  if (Array.isArray(args)) return args.flatMap((one) => addressesIn(one, name))
  if (typeof args !== 'object' || args === null) return []
  return Object.entries(args).flatMap(([key, value]) => addressesIn(value, key))
}

/** Where one address leads, as browsers understand it; undefined where it is none. */
export function hostOf(text: string): Address | undefined {
  const plain = text.trim().replaceAll('\\', '/')
  const whole = /^([a-z][a-z0-9+.-]*:\/\/|(https?|wss?|ftp):)/i.test(plain)
    ? plain
    : `http://${plain.replace(/^\/\//, '')}`
  // Only the schemes of the web are read with all of a browser's rules; others are read as if they were.
  const web = /^(https?|wss?|ftp):/i.test(whole) ? whole : whole.replace(/^[^:]+:/, 'http:')
  try {
    const url = new URL(web)
    if (url.hostname === '') return undefined
    const port = url.port === '' ? PORTS[url.protocol] : Number(url.port)
    return { host: url.hostname.replace(/\.$/, ''), port }
  } catch {
    return undefined
  }
}

/** Whether an address is one of these hosts: `api.example.com`, `*.example.com` for all below it, `localhost:8080`. */
export function withinHosts(address: Address, hosts: readonly string[]): boolean {
  return hosts.some((entry) => hostFits(entry, address))
}

/** Whether `entry`, a host as a rule writes it, names this host and port. */
export function hostFits(entry: string, { host, port }: Address): boolean {
  const [, name = '', wanted] = /^(.*?)(?::(\d+))?$/.exec(entry.toLowerCase()) ?? []
  if (wanted !== undefined && Number(wanted) !== port) return false
  const bare = host.toLowerCase().replace(/\.$/, '')
  return name.startsWith('*.') ? bare.endsWith(name.slice(1)) && bare.length > name.length - 1 : bare === name
}
