/** A line for the person at the terminal. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

/** Shows a line in place of the one shown before; an empty one takes it away. For terminals. */
export function showOver(line: string): void {
  process.stdout.write(`\r\u001b[K${line.slice(0, (process.stdout.columns ?? 80) - 1)}`)
}
