/** Files that wait to be sent with a message: chosen with the button, dropped on the box, or pasted. */
import { el, icon } from './dom.js'

/** As much as the local workspace takes in one request, with room for the rest of it. */
const MOST = 10 * 1024 * 1024

/** Makes the button and the row of chips. `changed()` runs when a file came or went. */
export function openAttach({ testid, complain, changed }) {
  let files = []
  const row = el('ul', { class: 'chips', hidden: true, 'aria-label': 'Files to send' })
  const input = el('input', {
    type: 'file',
    multiple: true,
    hidden: true,
    tabindex: '-1',
    data: { testid: `${testid}-files` },
  })
  const button = el(
    'button',
    {
      type: 'button',
      class: 'attach',
      'aria-label': 'Add files',
      title: 'Add files (or drop them here)',
      data: { testid: `${testid}-attach` },
      on: { click: () => input.click() },
    },
    icon('clip'),
  )
  const set = (next) => {
    files = next
    row.replaceChildren(...files.map(chip))
    row.hidden = files.length === 0
    changed()
  }
  const chip = (file) =>
    el(
      'li',
      { class: 'chip' },
      icon('file'),
      el('span', {}, file.name),
      el(
        'button',
        {
          type: 'button',
          class: 'tool',
          'aria-label': `Leave out ${file.name}`,
          on: { click: () => set(files.filter((one) => one !== file)) },
        },
        icon('cross'),
      ),
    )
  const add = (more) => {
    const all = [...files, ...more]
    if (all.reduce((sum, file) => sum + file.size, 0) > MOST)
      return complain(`One message may hold ${MOST / 1024 / 1024} MB of files here.`)
    set(all)
  }
  input.addEventListener('change', () => {
    add([...input.files])
    input.value = ''
  })
  return {
    row,
    input,
    button,
    get: () => files,
    set,
    /** Takes files out of a drop or a paste; false where it holds none. */
    take(transfer) {
      const dropped = [...(transfer?.files ?? [])]
      if (dropped.length > 0) add(dropped)
      return dropped.length > 0
    },
  }
}

/** Files as the workspace takes them. Rejects with a sentence where one cannot be read. */
export function packFiles(files) {
  return Promise.all(
    files.map(async (file) => {
      const bytes = new Uint8Array(await file.arrayBuffer())
      let binary = ''
      for (let at = 0; at < bytes.length; at += 0x8000)
        binary += String.fromCharCode(...bytes.subarray(at, at + 0x8000))
      return { name: file.name, base64: btoa(binary), ...(file.type ? { type: file.type } : {}) }
    }),
  )
}
