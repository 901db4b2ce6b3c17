import fc from 'fast-check'
import { expect, test } from 'vitest'
import { installChangeOf, workspacesOf } from '../../src/slack/installs.ts'

const told = (event: object, more: object = {}) =>
  installChangeOf({ type: 'event_callback', team_id: 'T1', event_time: 7, event, ...more })

test('what Slack says of an installation names the workspace or the organisation it is of', () => {
  const removed = { kind: 'removed', holder: 'T1', at: 7 }
  expect(told({ type: 'app_uninstalled' })).toEqual(removed)
  expect(told({ type: 'tokens_revoked', tokens: { bot: ['U1'], oauth: [] } })).toEqual(removed)
  const org = { team_id: null, enterprise_id: 'E1', is_enterprise_install: true }
  expect(told({ type: 'app_uninstalled' }, org)).toEqual({ ...removed, holder: 'E1' })
  // A workspace of a Grid that had its own installation.
  expect(told({ type: 'app_uninstalled' }, { enterprise_id: 'E1' })).toEqual(removed)
  expect(told({ type: 'team_access_granted', team_ids: ['T2', 'T3'], enterprise_id: 'E1' })).toEqual({
    kind: 'granted',
    holder: 'E1',
    teams: ['T2', 'T3'],
    at: 7,
  })
  expect(told({ type: 'team_access_revoked', team_ids: ['T2'] }, org)).toMatchObject({ kind: 'withdrawn' })
})

test('tokens of people, and everything else, say nothing of it', () => {
  expect(told({ type: 'tokens_revoked', tokens: { oauth: ['U1'], bot: [] } })).toBeUndefined()
  expect(told({ type: 'message', channel: 'C1' })).toBeUndefined()
  expect(told({ type: 'app_uninstalled' }, { team_id: null })).toBeUndefined()
})

test('an event is for whom we are authorised by, whoever wrote; a press for whose message or modal it is', () => {
  const event = { team_id: 'T9', context_team_id: 'T1', event: { type: 'message', team: 'T9' } }
  expect(workspacesOf({ ...event, authorizations: [{ team_id: 'T1' }] })).toEqual(['T1'])
  expect(workspacesOf({ ...event, authorizations: [{ team_id: null }] })).toEqual(['T1', 'T9'])
  expect(workspacesOf({ type: 'block_actions', team: { id: 'T9' }, message: { team: 'T1' } })).toEqual([
    'T1',
    'T9',
  ])
  // In a shared channel the message whose menu it is may be of an organisation that we serve as well.
  expect(workspacesOf({ type: 'message_action', team: { id: 'T1' }, message: { team: 'T9' } })).toEqual([
    'T1',
  ])
  expect(workspacesOf({ view: { app_installed_team_id: 'T1' }, team: { id: 'T9' } })).toEqual(['T1', 'T9'])
  expect(workspacesOf({ command: '/quorum', team_id: 'T1' })).toEqual(['T1'])
  expect(workspacesOf({ team: null })).toEqual([])
})

test('nothing that comes makes either of them throw', () => {
  const anything = fc.oneof(
    fc.anything(),
    fc.record({
      event: fc.oneof(
        fc.anything(),
        fc.record({ type: fc.constant('app_uninstalled'), tokens: fc.anything() }),
      ),
      team_id: fc.anything(),
      authorizations: fc.anything(),
      message: fc.anything(),
      team: fc.anything(),
    }),
  )
  fc.assert(
    fc.property(anything, (body) => {
      expect(Array.isArray(workspacesOf(body))).toBe(true)
      installChangeOf(body)
    }),
  )
})
