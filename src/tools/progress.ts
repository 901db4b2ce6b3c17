/** What servers say of how far a call has come. */

/** Progress is passed on this often at most, in milliseconds, and so much of its words. */
const EVERY_MS = 500
const MOST_CHARS = 200

/** How far a call has come, as its server says. */
export type Progress = { progress: number; total?: number; message?: string }

/**
 * A listener for a server's reports that passes some on: never two within half a second, the latest of those in
 * between when it is over. The words are one line, cut, and without characters that are not shown.
 */
export function throttled(onProgress: (progress: Progress) => void): {
  hear(report: { progress: number; total?: number | undefined; message?: string | undefined }): void
  end(): void
} {
  let latest: Progress | undefined
  let timer: NodeJS.Timeout | undefined

  function tell(): void {
    timer = undefined
    if (!latest) return
    const told = latest
    latest = undefined
    timer = setTimeout(tell, EVERY_MS)
    onProgress(told)
  }

  return {
    hear({ progress, total, message }) {
      if (!Number.isFinite(progress)) return
      latest = {
        progress,
        ...(total !== undefined && Number.isFinite(total) && { total }),
        ...(message !== undefined && { message: oneLine(message) }),
      }
      if (!timer) tell()
    },
    end() {
      clearTimeout(timer)
      latest = undefined
    },
  }
}

/** Words of others as one line, cut, without characters that are not shown. */
export function oneLine(text: string): string {
  const shown = text
    .slice(0, 4 * MOST_CHARS)
    .replace(/[\s\p{Cc}\p{Cf}\p{DI}]+/gu, ' ')
    .trim()
  return (shown.length <= MOST_CHARS ? shown : `${shown.slice(0, MOST_CHARS - 1)}…`).toWellFormed()
}
