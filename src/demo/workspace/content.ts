/** The content of a message as the app sends it: checked, and given the ids Slack would give. */
import { checkBlocks, tooMuchMarkdown, vanishes } from './blocks.ts'
import { newId } from './ids.ts'
import { Refusal, refuseProblems, textArg } from './method.ts'
import { isObject } from './shape.ts'
import type { Block, Json, Message } from './world.ts'

/** What a call says a message should hold; a field is absent where the call does not name it. */
export type Content = {
  text?: string
  blocks?: Block[]
  attachments?: Json[]
  metadata?: NonNullable<Message['metadata']>
  /** Slack would say ok and show nothing. */
  vanishes: boolean
}

export function readContent(args: Json, maxText = 40_000): Content {
  const markdown = textArg(args, 'markdown_text')
  if (markdown !== undefined && (args.text !== undefined || args.blocks !== undefined)) {
    throw new Refusal('markdown_text_conflict')
  }
  const text = markdown ?? (args.text === undefined || args.text === null ? undefined : String(args.text))
  if (text !== undefined && text.length > (markdown === undefined ? maxText : 12_000))
    throw new Refusal('msg_too_long')
  const blocks = markdown === undefined ? args.blocks : [{ type: 'markdown', text: markdown }]
  const content: Content = { vanishes: false }
  if (text !== undefined) content.text = text
  if (blocks !== undefined && blocks !== null) {
    content.blocks = readBlocks(blocks)
    content.vanishes = vanishes(content.blocks)
  }
  if (Array.isArray(args.attachments)) content.attachments = args.attachments.filter(isObject)
  const metadata = readMetadata(args.metadata)
  if (metadata) content.metadata = metadata
  return content
}

/** Checked blocks, every one with a block id and every element with an action id. */
export function readBlocks(blocks: unknown): Block[] {
  if (!Array.isArray(blocks)) throw new Refusal('invalid_blocks_format')
  const problems = checkBlocks(blocks, 'message')
  if (problems.length > 0) refuseProblems('invalid_blocks', problems)
  if (tooMuchMarkdown(blocks)) throw new Refusal('msg_blocks_too_long')
  return giveIds(blocks)
}

export function giveIds(blocks: unknown[]): Block[] {
  return blocks.filter(isObject).map((block) => {
    const named: Block = {
      ...block,
      type: String(block.type),
      block_id: String(block.block_id ?? newId('', 5)),
    }
    if (['actions', 'context_actions'].includes(named.type) && Array.isArray(named.elements)) {
      named.elements = named.elements.map(withActionId)
    }
    if (isObject(named.accessory)) named.accessory = withActionId(named.accessory)
    if (named.type === 'input') named.element = withActionId(named.element)
    if (Array.isArray(named.actions)) named.actions = named.actions.map(withActionId)
    if (Array.isArray(named.child_blocks)) named.child_blocks = giveIds(named.child_blocks)
    return named
  })
}

function withActionId(element: unknown): unknown {
  if (!isObject(element) || element.type === 'image') return element
  return { ...element, action_id: element.action_id ?? newId('', 5) }
}

function readMetadata(metadata: unknown): Message['metadata'] {
  if (metadata === undefined || metadata === null) return undefined
  if (!isObject(metadata) || typeof metadata.event_type !== 'string' || !isObject(metadata.event_payload)) {
    throw new Refusal('invalid_metadata_format')
  }
  if (JSON.stringify(metadata).length > 16_000) throw new Refusal('metadata_too_large')
  return { event_type: metadata.event_type, event_payload: metadata.event_payload }
}
