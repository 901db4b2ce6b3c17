import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { METHODS } from '../../src/slack/call.ts'
import { ACTIONS, COMMANDS, EVENTS, neededScopes, ORG_EVENTS, SHORTCUTS } from '../../src/slack/identify.ts'

const read = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../manifests/slack/${name}.json`, import.meta.url), 'utf8'))
const sources = ['', 'blocks/']
  .map((room) => new URL(`../../src/slack/${room}`, import.meta.url))
  .flatMap((room) =>
    readdirSync(room)
      .filter((name) => name.endsWith('.ts'))
      .map((name) => readFileSync(new URL(name, room), 'utf8')),
  )
  .join('\n')

test.each(['socket', 'http'])('%s.json creates the app as the code needs it', (name) => {
  const manifest = read(name)
  const { features, settings, oauth_config } = manifest
  expect([...settings.event_subscriptions.bot_events].sort()).toEqual(Object.keys(EVENTS).sort())
  expect([...oauth_config.scopes.bot].sort()).toEqual(neededScopes())
  expect(oauth_config.scopes.user).toBeUndefined()
  expect(features.slash_commands.map((command: { command: string }) => command.command)).toEqual([
    ...COMMANDS,
  ])
  expect(features.shortcuts.map((one: { callback_id: string }) => one.callback_id)).toEqual([...SHORTCUTS])
  for (const { type, name, description } of features.shortcuts) {
    expect(type).toBe('message')
    expect(name.length).toBeLessThanOrEqual(24)
    expect(description.length).toBeLessThanOrEqual(150)
  }
  expect(features.app_home).toEqual({
    home_tab_enabled: true,
    messages_tab_enabled: true,
    messages_tab_read_only_enabled: false,
  })
  expect(features.agent_view.agent_description.length).toBeLessThanOrEqual(300)
  expect(features.assistant_view).toBeUndefined()
  expect(manifest.display_information.name.length).toBeLessThanOrEqual(35)
  expect(manifest.display_information.description.length).toBeLessThanOrEqual(140)
  expect(settings.interactivity.is_enabled).toBe(true)
  expect(settings.socket_mode_enabled).toBe(name === 'socket')
})

test('the two differ in nothing but the way to us', () => {
  const [socket, http] = [read('socket'), read('http')]
  const url = http.settings.event_subscriptions.request_url
  expect(url).toMatch(/^https:\/\/[^/]+\/slack\/events$/)
  expect(http.settings.interactivity.request_url).toBe(url)
  expect(http.features.slash_commands[0].url).toBe(url)
  for (const part of [http.settings.event_subscriptions, http.settings.interactivity]) delete part.request_url
  delete http.features.slash_commands[0].url
  http.settings.socket_mode_enabled = true
  expect(http).toEqual(socket)
})

test('distributed.json is http.json for an app that others install: it comes back to our page, and its tokens end', () => {
  const [http, distributed] = [read('http'), read('distributed')]
  const { redirect_urls, ...oauth_config } = distributed.oauth_config
  const { origin } = new URL(http.settings.event_subscriptions.request_url)
  expect(redirect_urls).toEqual([`${origin}/slack/oauth_redirect`])
  expect(distributed.settings).toMatchObject({ org_deploy_enabled: true, token_rotation_enabled: true })
  const { bot_events } = distributed.settings.event_subscriptions
  const apart: readonly string[] = ORG_EVENTS
  expect(bot_events.filter((event: string) => apart.includes(event))).toEqual([...ORG_EVENTS])
  distributed.settings.event_subscriptions.bot_events = bot_events.filter(
    (event: string) => !apart.includes(event),
  )
  Object.assign(distributed.settings, { org_deploy_enabled: false, token_rotation_enabled: false })
  expect({ ...distributed, oauth_config }).toEqual(http)
})

test('every method and button in the code is in the tables', () => {
  const methods = [...sources.matchAll(/(?:call|say)\(\s*(?:method, )?'([a-z]+(?:\.[A-Za-z]+)+)'/g)].map(
    (match) => match[1],
  )
  expect(methods.length).toBeGreaterThan(10)
  expect([...new Set(methods)].sort()).toEqual(Object.keys(METHODS).sort())
  // `value` is the one input of a block in a modal: it is read with the modal, and not pressed.
  const actions = [...sources.matchAll(/action_id: '([\w-]+)'/g)]
    .map((match) => match[1])
    .filter((id) => id !== 'value')
  for (const action of actions) expect(ACTIONS).toContain(action)
})
