/** Who may approve a call, and when enough have. Pure. */

/** What is known of a person who decides, from Slack. `groups` are those of the asked-for user groups they are in. */
export type Decider = {
  id: string
  groups: readonly string[]
  /** Why they may decide nothing, whatever a policy says; undefined for a full, active member. */
  barred?: 'bot' | 'guest' | 'deactivated' | 'outsider' | undefined
}

/** The terms of an approval: see `Judgement` of policy.ts. */
export type Terms = {
  approvers: readonly (readonly string[])[]
  need: number
  selfApprove: boolean
  asker: string
}

/** Whether a person may approve or deny a call. */
export function mayDecide(terms: Terms, person: Decider): boolean {
  if (person.barred) return false
  return terms.approvers.every((list) =>
    list.some(
      (who) => (who === 'requester' ? terms.asker : who) === person.id || person.groups.includes(who),
    ),
  )
}
