/** The modal that edits the arguments of a call. */
import type { ModalView } from '@slack/types'
import { toolName } from '../../core/plan.ts'
import { rich, section, text } from './elements.ts'
import { fieldBlocks } from './fields.ts'
import type { Form } from './form.ts'

/** Whose the modal is, as it comes back with it. `round`: which question of a tool server it answers, from 1. */
export type Whose = {
  approval: string
  channel: string
  thread?: string | undefined
  round?: number | undefined
}

export function editView(tool: string, form: Form, whose: Whose): ModalView {
  const intro = `What you send takes the place of this call of ${toolName(tool, true)}. It still waits for its approval.`
  return {
    type: 'modal',
    callback_id: 'edit',
    private_metadata: JSON.stringify(whose),
    title: { type: 'plain_text', text: 'Edit the call', emoji: false },
    submit: { type: 'plain_text', text: 'Propose this', emoji: false },
    close: { type: 'plain_text', text: 'Cancel', emoji: false },
    blocks: [rich(section(text(intro))), ...fieldBlocks(form)],
  }
}
