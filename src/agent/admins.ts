/** Who runs this in the workspace, as policy.yaml names them. */
import type { Policy } from '../core/rules.ts'
import type { Speak } from '../slack/speak.ts'

/** The admins of the policy, groups as their members. */
export async function adminsOf({
  policy,
  speak,
}: {
  policy: Policy
  speak: Pick<Speak, 'members'>
}): Promise<string[]> {
  const each = await Promise.all(
    policy.admins.map(async (who) => (who.startsWith('S') ? speak.members(who) : [who])),
  )
  return [...new Set(each.flat())].sort()
}

/** Whether a person is one of the admins, by themselves or in a group. */
export async function isAdmin(
  { policy, speak }: { policy: Policy; speak: Pick<Speak, 'decider'> },
  user: string,
): Promise<boolean> {
  const groups = policy.admins.filter((who) => who.startsWith('S'))
  const person = await speak.decider(user, groups)
  return !person.barred && (policy.admins.includes(user) || person.groups.length > 0)
}
