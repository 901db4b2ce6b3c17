/** Which format a file is read as, by its name. */
import path from 'node:path'

export type Format = 'markdown' | 'text' | 'code' | 'html' | 'csv' | 'pdf' | 'docx'

const MB = 1024 * 1024

/** Largest file that is read of each format, in bytes. */
export const LARGEST: Record<Format, number> = {
  markdown: 2 * MB,
  text: 2 * MB,
  code: 1 * MB,
  html: 5 * MB,
  csv: 5 * MB,
  pdf: 50 * MB,
  docx: 20 * MB,
}

/** What is handed on as bytes; everything else is text. */
export const BINARY: ReadonlySet<Format> = new Set(['pdf', 'docx'])

const FORMATS: Record<Exclude<Format, 'code'>, string> = {
  markdown: 'md markdown mdx mdown',
  text: 'txt text rst adoc asciidoc org tex log',
  html: 'html htm xhtml',
  csv: 'csv tsv',
  pdf: 'pdf',
  docx: 'docx',
}

const CODE =
  'ts tsx mts cts js jsx mjs cjs vue svelte astro css scss less py pyi rb erb php pl pm lua r jl go rs c h cc cpp ' +
  'cxx hpp hh m mm java kt kts scala groovy gradle swift cs fs vb dart ex exs erl hrl hs elm clj cljs ml mli zig ' +
  'nim sh bash zsh fish ps1 psm1 bat cmd awk sql graphql gql proto thrift tf hcl nix cue rego yaml yml toml json ' +
  'jsonc json5 xml xsd ini cfg conf properties cmake mk dockerfile'

const BY_NAME: Record<string, Format> = {
  dockerfile: 'code',
  containerfile: 'code',
  makefile: 'code',
  jenkinsfile: 'code',
  procfile: 'code',
  codeowners: 'text',
  readme: 'text',
  license: 'text',
  copying: 'text',
  changelog: 'text',
  contributing: 'text',
  authors: 'text',
  notice: 'text',
}

const BY_EXTENSION = new Map<string, Format>([
  ...CODE.split(' ').map((name): [string, Format] => [name, 'code']),
  ...Object.entries(FORMATS).flatMap(([format, names]) =>
    names.split(' ').map((name): [string, Format] => [name, format as Format]),
  ),
])

/** Written by programs, for programs; what they say stands somewhere else. */
const GENERATED =
  /(^|\/)(package-lock\.json|npm-shrinkwrap\.json|pnpm-lock\.yaml|composer\.lock|tools\.lock\.json)$|\.(min\.(js|css)|map|snap|lock)$/i

/** Files whose whole point is a secret. Examples to copy are none. */
const SECRET =
  /^(\.env(\.(?!example$|sample$|template$|dist$)[\w.-]+)?|id_(rsa|dsa|ecdsa|ed25519)(_sk)?|\.npmrc|\.pypirc|\.netrc|_netrc|\.pgpass|\.htpasswd|\.git-credentials|\.dockercfg|\.dockerconfigjson|kubeconfig|credentials(\.json|\.ya?ml)?|(client_)?secrets?\.(json|ya?ml|toml)|service[-_]?account[\w.-]*\.json|.*\.(pem|key|p12|pfx|jks|keystore|kdbx|ppk|ovpn|tfstate|tfvars|gpg|asc|agekey)|.*\.tfstate\.backup)$/i

/** The format a file is read as, or why it is not read. */
export function formatOf(file: string): Format | { why: string } {
  const name = path.posix.basename(file).toLowerCase()
  if (SECRET.test(name)) return { why: 'it is a file for secrets, by its name' }
  if (GENERATED.test(file)) return { why: 'it is generated' }
  const extension = path.posix.extname(name).slice(1)
  const format = BY_NAME[name] ?? BY_EXTENSION.get(extension)
  if (format) return format
  return { why: extension === '' ? 'its name has no ending' : `.${extension} is not a format that is read` }
}

/** The format of what a server calls by a media type. */
export function formatOfType(type: string): Format | undefined {
  const bare = type.split(';')[0]?.trim().toLowerCase() ?? ''
  if (bare === 'text/markdown' || bare === 'text/x-markdown') return 'markdown'
  if (bare === 'text/html' || bare === 'application/xhtml+xml') return 'html'
  if (bare === 'text/csv' || bare === 'text/tab-separated-values') return 'csv'
  if (bare === 'application/pdf') return 'pdf'
  if (bare === 'application/vnd.openxmlformats-officedocument.wordprocessingml.document') return 'docx'
  if (/^application\/(json|xml|yaml|toml|javascript|sql)$|\+(json|xml)$/.test(bare)) return 'code'
  return bare.startsWith('text/') ? 'text' : undefined
}
