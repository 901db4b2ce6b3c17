/** Acting in the workspace as people do: writing, pressing, coming and going. */
import { archive, rename } from './channel-changes.ts'
import type { Hub } from './hub.ts'
import { click, command, submit, useShortcut } from './interact.ts'
import {
  createChannel,
  createGroup,
  deactivate,
  edit,
  hire,
  interrupt,
  invite,
  leave,
  lookAt,
  openHome,
  regroup,
  remove,
  restrict,
  type SayOptions,
  say,
  sayAs,
  share,
  unfurl,
  welcome,
} from './people.ts'
import type { Json } from './world.ts'

/** What a test, or a person at the page, has people do. */
export function acting(hub: Hub) {
  return {
    say: async (user: string, channel: string, text: string, options?: SayOptions) =>
      say(hub, user, channel, text, options),
    sayAs: async (app: string, channel: string, text: string, options?: SayOptions) =>
      sayAs(hub, app, channel, text, options),
    rename: async (channel: string, name: string) => rename(hub, channel, name),
    archive: async (channel: string, on: boolean) => archive(hub, channel, on),
    edit: async (user: string, channel: string, ts: string, text: string) =>
      edit(hub, user, channel, ts, text),
    remove: async (user: string, channel: string, ts: string) => remove(hub, user, channel, ts),
    unfurl: async (channel: string, ts: string) => unfurl(hub, channel, ts),
    hire: (count: number) => hire(hub, count),
    createGroup: (name: string) => createGroup(hub, name),
    regroup: async (group: string, users: readonly string[]) => regroup(hub, group, users),
    deactivate: async (user: string) => deactivate(hub, user),
    invite: async (user: string, channel: string) => invite(hub, user, channel),
    leave: async (user: string, channel: string) => leave(hub, user, channel),
    createChannel: (name: string, members: readonly string[], options?: { private?: boolean }) =>
      createChannel(hub, name, members, options?.private ?? false),
    share: async (channel: string, on: boolean) => share(hub, channel, on),
    welcome: (name: string, as: 'guest' | 'stranger') => welcome(hub, name, as),
    restrict: async (user: string, guest: boolean) => restrict(hub, user, guest),
    click: (user: string, channel: string, ts: string, action: string, value?: string) =>
      click(hub, user, { channel, ts }, action, value),
    clickView: (user: string, view: string, action: string, value?: string) =>
      click(hub, user, { view }, action, value),
    command: (user: string, channel: string, text: string) => command(hub, user, channel, text),
    shortcut: (user: string, callback: string, channel: string, ts: string) =>
      useShortcut(hub, user, callback, channel, ts),
    openHome: async (user: string, tab?: 'home' | 'messages') => openHome(hub, user, tab),
    submit: (user: string, view: string, values: Record<string, Json>) => submit(hub, user, view, values),
    lookAt: async (user: string, open?: { channel: string; thread?: string }) => lookAt(hub, user, open),
    interrupt: async (user: string, channel: string, thread: string) => interrupt(hub, user, channel, thread),
  }
}
