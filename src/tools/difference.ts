/** What changed in a tool's definition, for people who accept it. */
import { canonical } from '../core/canonical.ts'
import type { Definition } from '../core/lock.ts'

/** One part of a definition, before and after; undefined where it was or is not there. */
export type Difference = { part: string; before: string | undefined; after: string | undefined }

const PARTS = ['title', 'description', 'inputSchema', 'outputSchema', 'annotations'] as const

/** The parts of a definition that differ, each as one text; all of them where one side is missing. */
export function differences(before: Definition | undefined, after: Definition | undefined): Difference[] {
  return PARTS.flatMap((part) => {
    const [old, now] = [show(before?.[part]), show(after?.[part])]
    return old === now ? [] : [{ part, before: old, after: now }]
  })
}

function show(value: unknown): string | undefined {
  if (value === undefined) return undefined
  return reveal(typeof value === 'string' ? value : canonical(value))
}

/** Every character that could hide something, shown as an escape. */
function reveal(text: string): string {
  return text
    .toWellFormed()
    .replace(/(?![\n ])[\p{Cc}\p{Cf}\p{DI}\p{Zl}\p{Zp}\p{Zs}]/gu, (character) =>
      [...character.split('')]
        .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
        .join(''),
    )
}
