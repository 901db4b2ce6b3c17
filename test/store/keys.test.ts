import { expect, test } from 'vitest'
import { openTestStore } from '../support/store.ts'

/** Tables of the deployment, and why none of their rows belongs to a workspace. */
const DEPLOYMENT = {
  drains: 'servers of models',
  embedding_models: 'models',
  ledgers: 'processes',
  migrations: 'this version',
  installs: 'tokens by workspace or organisation, which is their key',
  spent: 'links that were used',
  posts: 'their key is a run, or the key of what was heard, which begins with the workspace',
}

test('every row belongs to one workspace: its table says to which, or hangs on one that does', async () => {
  await using store = await openTestStore()
  const found = await store.pool.query<{ name: string; of: string[] | null }>(
    `select t.table_name as name, array_agg(distinct u.table_name::text) as of
     from information_schema.tables t
     left join information_schema.table_constraints c on c.table_name = t.table_name
       and c.constraint_type = 'FOREIGN KEY'
     left join information_schema.constraint_table_usage u on u.constraint_name = c.constraint_name
     where t.table_schema = 'public' and t.table_type = 'BASE TABLE' and not exists (
       select from information_schema.columns k
       where k.table_schema = 'public' and k.table_name = t.table_name and k.column_name = 'workspace')
     group by 1`,
  )
  const hang = found.rows.filter(({ name }) => !(name in DEPLOYMENT))
  expect(Object.fromEntries(hang.map(({ name, of }) => [name, of]))).toEqual({
    passages: ['documents'],
    raises: ['budgets'],
    steps: ['runs'],
    vector_claims: ['embedding_models', 'passages'],
  })
  expect(found.rows).toHaveLength(hang.length + Object.keys(DEPLOYMENT).length)
})
