/** A real browser for tests of the page. */
import { existsSync } from 'node:fs'
import { type Browser, chromium, type Page } from 'playwright-core'

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
const QUIET = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** A headless Chromium, from CHROMIUM_PATH or its usual places; undefined, with a line that says so, where there is none. */
export async function openBrowser(): Promise<Browser | undefined> {
  const given = process.env.CHROMIUM_PATH
  const path = given ? given : PLACES.find((place) => existsSync(place))
  if (path === undefined || !existsSync(path)) {
    console.warn(
      `No Chromium at ${given ?? PLACES.join(', ')}: tests of the page are skipped. Set CHROMIUM_PATH.`,
    )
    return undefined
  }
  return chromium.launch({ executablePath: path, args: QUIET })
}

/** Collects what a page complains about: console errors and warnings, and exceptions nobody caught. */
export function listenForComplaints(page: Page, complaints: string[]): void {
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(String(error.stack ?? error)))
}
