/** How values of PostgreSQL become values of JavaScript. */
import pg from 'pg'

const int8 = 20

/** An int8 as a number; a plain error where a number cannot hold it exactly. */
function readInt8(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value)) throw new RangeError(`The int8 ${text} does not fit into a number`)
  return value
}

/** Parsers for a pool: the driver's own, except that int8 (`bigint`, `count(*)`) is a number. */
export const types: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    oid === int8 && format !== 'binary'
      ? readInt8
      : pg.types.getTypeParser(oid, format as 'text')) as pg.CustomTypesConfig['getTypeParser'],
}
