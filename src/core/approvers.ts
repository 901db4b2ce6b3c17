/** Who may approve a call, and when enough have. Pure. */

/** What is known of a person who decides, from Slack. `groups` are those of the asked-for user groups they are in. */
export type Decider = {
  id: string
  groups: readonly string[]
  /** Why they may decide nothing, whatever a policy says; undefined for a full, active member. */
  barred?: Barred | undefined
  /** Groups that Slack did not tell about just now: nobody counts as in them. */
  untold?: readonly string[] | undefined
}

/** `unknown`: Slack did not tell who they are. */
export type Barred = 'bot' | 'guest' | 'deactivated' | 'outsider' | 'unknown'

/** The terms of an approval: see `Judgement` of policy.ts. */
export type Terms = {
  approvers: readonly (readonly string[])[]
  need: number
  selfApprove: boolean
  asker: string
}

/** The lists in each of which an approver must stand, with people in the place of `requester`. */
export function listsOf(terms: Pick<Terms, 'approvers' | 'asker'>): string[][] {
  return termed(terms.approvers).map((list) => [
    ...new Set(list.map((who) => (who === 'requester' ? terms.asker : who))),
  ])
}

/** What was allowed without asking is the requester's to speak about. */
function termed(approvers: Terms['approvers']): Terms['approvers'] {
  return approvers.length > 0 ? approvers : [['requester']]
}

/** The user groups that the terms name. */
export function groupsOf(terms: Pick<Terms, 'approvers'>): string[] {
  return [...new Set(terms.approvers.flat().filter((who) => who.startsWith('S')))]
}

/** Whether a person may approve or deny a call. */
export function mayDecide(terms: Terms, person: Decider): boolean {
  if (person.barred) return false
  if (terms.approvers.length > 0 && !terms.selfApprove && person.id === terms.asker) return false
  return listsOf(terms).every((list) => list.some((who) => who === person.id || person.groups.includes(who)))
}

/** Whether somebody who may not decide might, if Slack had told more. */
export function mightDecide(terms: Terms, person: Decider): boolean {
  if (person.barred === 'unknown') return true
  const groups = [...person.groups, ...(person.untold ?? [])]
  return mayDecide(terms, { ...person, groups })
}

/**
 * Whom an approval waits for, to stand after "waits for": `two of Ben, @oncall and Chloe`. `name` gives the name of a
 * person or a group.
 */
export async function tellApprovers(terms: Terms, name: (id: string) => Promise<string>): Promise<string> {
  const lists = listsOf(terms)
  const named = await Promise.all(lists.map((list) => Promise.all(list.map(name))))
  const [only = []] = named
  const alone = terms.need === 1
  const self = terms.selfApprove ? '' : `, but not ${await name(terms.asker)}, who asked`
  if (named.length === 1) {
    const who = alone
      ? join(only, 'or')
      : `${NUMBERS[terms.need] ?? terms.need} different people of ${join(only, 'and')}`
    return who + self
  }
  const who = alone ? 'somebody who is' : `${NUMBERS[terms.need] ?? terms.need} different people, each`
  return `${who} one of ${named.map((list) => join(list, 'and')).join(', and also one of ')}${self}`
}

const NUMBERS = ['', 'one', 'two', 'three', 'four', 'five']

function join(names: readonly string[], word: 'and' | 'or'): string {
  const last = names.at(-1) ?? 'nobody'
  return names.length < 2 ? last : `${names.slice(0, -1).join(', ')} ${word} ${last}`
}
