/** Modals that a button opens: they only show; what is sent with them is heard like everything else. */
import type { ModalView } from '@slack/types'
import type { Opener } from '../slack/identify.ts'
import type { Viewer } from '../slack/listen.ts'
import type { Db } from '../store/transaction.ts'
import { traceOf } from './trace.ts'

/** The modal a button opens, or a sentence why there is none. */
export async function openModal(
  db: Db,
  button: Opener,
  subject: string,
  viewer: Viewer,
): Promise<ModalView | string> {
  switch (button) {
    case 'trace':
      return traceOf(db, subject, viewer)
    default:
      return 'This cannot be opened here.'
  }
}
