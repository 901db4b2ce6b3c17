import { expect, test } from 'vitest'
import { type Listed, suggestEffect } from '../../src/core/effect.ts'

const tool = (
  name: string,
  description = '',
  properties: Record<string, object> = {},
  annotations?: object,
): Listed => ({
  name,
  description,
  inputSchema: { type: 'object', properties },
  ...(annotations ? { annotations: annotations as Record<string, unknown> } : {}),
})
const effect = (...args: Parameters<typeof tool>) => suggestEffect(tool(...args)).effect

test('tools that look are reads', () => {
  for (const name of [
    'get_balance',
    'listFiles',
    'search-contacts-by-name',
    'read_inbox',
    'find',
    'has_access',
  ])
    expect([name, effect(name)]).toEqual([name, 'read'])
  for (const name of [
    'get_most_recent_transactions',
    'get_iban',
    'check_restaurant_opening_hours',
    'get_updates',
  ])
    expect([name, effect(name)]).toEqual([name, 'read'])
  expect(effect('directory_tree', 'Get a recursive tree view of files.')).toBe('read')
  expect(effect('issues_list', 'Lists the issues of a repository.')).toBe('read')
})

test('tools that change something, and tools nobody can tell, are writes', () => {
  for (const name of [
    'send_money',
    'update_password',
    'reserve_hotel',
    'schedule_transaction',
    'share_file',
    'run',
  ])
    expect([name, effect(name)]).toEqual([name, 'write'])
  for (const name of ['get_or_create_user', 'search_and_replace', 'frobnicate', 'users', 'issue_list', ''])
    expect([name, effect(name)]).toEqual([name, 'write'])
  expect(effect('directory_tree', 'Removes a directory.')).toBe('write')
  expect(effect('get_report', '', {}, { readOnlyHint: false })).toBe('write')
  expect(effect('get_report', '', {}, { destructiveHint: true })).toBe('write')
  expect(effect('frobnicate', '', {}, { readOnlyHint: true })).toBe('write')
})

test('verbs that may look or do, programs, and what a description admits', () => {
  for (const name of [
    'open_issue',
    'open_account',
    'resolve_ticket',
    'return_order',
    'tell_user',
    'check_in_flight',
    'list_add',
    'view_update',
    'status_update',
    'search_index_rebuild_and_delete',
    'convert_lead',
    'verify_account',
    'ping_user',
    'download_file',
  ])
    expect([name, effect(name)]).toEqual([name, 'write'])
  expect(effect('query', 'Run a query.', { sql: {} })).toBe('write')
  expect(effect('get_result', '', { code: {} })).toBe('write')
  expect(effect('get_report', 'Gets the report and emails it to the manager.')).toBe('write')
  expect(effect('get_report', 'Gets the report and sends it to the manager.')).toBe('write')
  expect(effect('read_inbox', 'Reads the inbox, then deletes what was read.')).toBe('write')
  expect(effect('list_files', 'Creates a listing.')).toBe('write')
  expect(effect('get_rid_of_files', 'Permanently deletes files.')).toBe('write')
  expect(effect('view_message', 'Use this tool to send a message.')).toBe('write')
  expect(effect('get_order', 'Returns an order.')).toBe('read')
  expect(effect('search_messages', 'Search for messages and posts in a channel.')).toBe('read')
  expect(effect('open_nodes', 'Open specific nodes by their names.')).toBe('read')
})

test('reads from an address or a party outside are a class of their own', () => {
  expect(effect('fetch', '', { url: { type: 'string' } })).toBe('egress_read')
  expect(effect('get_webpage', '', { page: { type: 'string' } })).toBe('egress_read')
  expect(effect('web_search', 'Search the web.', { query: {} })).toBe('egress_read')
  expect(effect('read', '', { source: { type: 'string', format: 'uri' } })).toBe('egress_read')
  expect(effect('lookup', '', { hostName: { type: 'string' } })).toBe('egress_read')
  expect(effect('get_news', '', {}, { openWorldHint: true })).toBe('egress_read')
  expect(effect('read', '', { page: { type: 'string', description: 'The URL of the page.' } })).toBe(
    'egress_read',
  )
  expect(effect('read', '', { all: { type: 'array', items: { properties: { url: {} } } } })).toBe(
    'egress_read',
  )
  expect(effect('tavily_search', 'Search the web for pages.', { query: {} })).toBe('egress_read')
  expect(effect('get_hotels_address', '', { hotel_name: {} })).toBe('read')
})

test('sensitive is everything but times, flags and how much is shown', () => {
  const properties = {
    recipient: { type: 'string' },
    amount: { type: 'number' },
    subject: { type: 'string' },
    date: { type: 'string' },
    startTime: { type: 'string' },
    due: { type: 'string', format: 'date-time' },
    urgent: { type: 'boolean' },
    limit: { type: 'integer' },
    file_id: { type: 'string' },
  }
  expect(suggestEffect(tool('send_money', '', properties)).sensitive).toEqual([
    'recipient',
    'amount',
    'subject',
    'file_id',
  ])
})
