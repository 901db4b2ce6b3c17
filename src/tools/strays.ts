/**
 * Processes that a server started and that left its group. They are known by a mark in their environment, which
 * children inherit; one that clears its environment is lost sight of, and only a sandbox holds it.
 */
import { readdirSync, readFileSync } from 'node:fs'

/** The variable that carries the mark. */
export const MARK = 'QUORUM_SERVER'

/** Rounds of looking, for those that were just being started. */
const ROUNDS = 3

/** Kills every process with this mark, on Linux; elsewhere there is no way to find them. */
export function killStrays(mark: string): void {
  for (let round = 0; round < ROUNDS; round++) {
    const found = strays(mark)
    for (const pid of found) kill(pid)
    if (found.length === 0) return
  }
}

function strays(mark: string): number[] {
  const wanted = `${MARK}=${mark}`
  return processes().filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(wanted)
    } catch {
      // It ended, or belongs to somebody else.
      return false
    }
  })
}

function processes(): number[] {
  try {
    return readdirSync('/proc')
      .map(Number)
      .filter((pid) => Number.isInteger(pid) && pid !== process.pid)
  } catch {
    return []
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It was quicker.
  }
}
