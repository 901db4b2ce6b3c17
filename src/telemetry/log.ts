/** Logs: JSON lines on standard error, with secrets taken out. */
import { type Logger, pino } from 'pino'

/** How rooms that take a function log. */
export type Log = (
  level: 'debug' | 'info' | 'warn' | 'error',
  message: string,
  fields?: Record<string, unknown> | object,
) => void

/** Opens the log of this process. `logger` is for rooms that take pino itself. */
export function openLog(level: string): { log: Log; logger: Logger } {
  const logger = pino(
    {
      level,
      base: { pid: process.pid },
      formatters: { level: (label) => ({ level: label }) },
      redact: {
        paths: ['*.token', '*.botToken', '*.appToken', '*.key', '*.authorization', '*.password'],
        remove: true,
      },
    },
    pino.destination({ dest: 2, sync: true }),
  )
  const log: Log = (lvl, message, fields = {}) => logger[lvl](fields, message)
  return { log, logger }
}
