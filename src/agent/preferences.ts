/** What a person likes: shown, changed, and held with every run they ask for from then on. */
import type { ModalView } from '@slack/types'
import type { HeardOf } from '../core/heard.ts'
import { readPreferences } from '../core/preferences.ts'
import type { StepOf } from '../core/run.ts'
import { preferencesView } from '../slack/blocks/preferences.ts'
import type { Viewer } from '../slack/opening.ts'
import { findPreferences, putPreferences } from '../store/preferences.ts'
import type { Db, Tx } from '../store/transaction.ts'

export async function openPreferences(db: Db, { workspace, user }: Viewer): Promise<ModalView> {
  return preferencesView(await findPreferences(db, workspace, user))
}

/** Keeps what was chosen; it holds for the next question. */
export async function takePreferences(tx: Tx, { workspace, user, values }: HeardOf<'filled'>): Promise<void> {
  await putPreferences(tx, workspace, user, readPreferences(values))
}

/** What a question is asked with because its person likes it so; nothing where all is as usual. */
export async function likingsOf(
  db: Db,
  workspace: string,
  user: string,
): Promise<Pick<StepOf<'asked'>, 'show' | 'language'>> {
  const { trace, language } = await findPreferences(db, workspace, user)
  return { ...(trace === 'plan' ? {} : { show: trace }), ...(language ? { language } : {}) }
}
