/** What a tool returned, as text for a model. */
import type { CallToolResult } from '@modelcontextprotocol/client'

/** Characters of a result a model is given. */
const MAX_TEXT = 64 * 1024

/** The text of a result, whole: text parts as they are, anything else named with its type and size. */
export function renderResult(result: CallToolResult): string {
  const parts = (result.content ?? []).map(renderPart).filter((part) => part !== '')
  if (parts.length === 0 && result.structuredContent !== undefined) {
    parts.push(JSON.stringify(result.structuredContent))
  }
  return parts.length > 0 ? parts.join('\n') : '(The tool returned nothing.)'
}

/**
 * What a model is given of a text: 65,536 characters and a note that says how much is missing.
 * NUL and half characters, which no database takes, are replaced.
 */
export function cutText(text: string): string {
  const whole = text.replaceAll('\0', '\ufffd').toWellFormed()
  if (whole.length <= MAX_TEXT) return whole
  const left = whole.length - MAX_TEXT
  return `${whole.slice(0, MAX_TEXT).toWellFormed()}\n[Cut here: ${left.toLocaleString('en')} more characters were not read.]`
}

function renderPart(part: CallToolResult['content'][number]): string {
  switch (part.type) {
    case 'text':
      return part.text
    case 'image':
    case 'audio':
      return `[${part.type}, ${part.mimeType}, ${size(part.data)}]`
    case 'resource_link':
      return `[link to ${part.name}: ${part.uri}]`
    case 'resource': {
      const { resource } = part
      if ('text' in resource) return `[${resource.uri}]\n${resource.text}`
      return `[file ${resource.uri}, ${resource.mimeType ?? 'unknown type'}, ${size(resource.blob)}]`
    }
    default:
      return `[${String((part as { type?: unknown }).type)}, not shown]`
  }
}

/** The size of what a base64 text holds. */
function size(base64: string): string {
  const bytes = Math.floor((base64.length * 3) / 4)
  return bytes < 1_000 ? `${bytes} bytes` : `${Math.round(bytes / 1_000)} kB`
}
