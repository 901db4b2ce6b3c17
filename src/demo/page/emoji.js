/** The emoji names people and agents use most; an unknown name is shown as it was written. */
import { el } from './dom.js'

const WORDS = `
  +1 👍 thumbsup 👍 -1 👎 thumbsdown 👎 tada 🎉 rocket 🚀 fire 🔥 eyes 👀 wave 👋 pray 🙏 clap 👏 muscle 💪 raised_hands 🙌
  white_check_mark ✅ heavy_check_mark ✔️ x ❌ warning ⚠️ no_entry ⛔ question ❓ exclamation ❗ information_source ℹ️ bulb 💡
  hourglass ⌛ hourglass_flowing_sand ⏳ stopwatch ⏱️ alarm_clock ⏰ calendar 📅 date 📅 clock1 🕐 mag 🔍 link 🔗 lock 🔒 unlock 🔓 key 🔑
  memo 📝 page_facing_up 📄 books 📚 book 📖 bookmark 🔖 clipboard 📋 file_folder 📁 paperclip 📎 email 📧 bell 🔔 no_bell 🔕
  robot_face 🤖 gear ⚙️ wrench 🔧 hammer 🔨 hammer_and_wrench 🛠️ package 📦 chart_with_upwards_trend 📈 bar_chart 📊 computer 💻
  bug 🐛 construction 🚧 rotating_light 🚨 red_circle 🔴 large_yellow_circle 🟡 large_green_circle 🟢 large_blue_circle 🔵 white_circle ⚪
  smile 😄 slightly_smiling_face 🙂 grinning 😀 joy 😂 sweat_smile 😅 thinking_face 🤔 sob 😭 heart ❤️ star ⭐ sparkles ✨ coffee ☕ boat ⛵
  anchor ⚓ ship 🚢 point_right 👉 point_up ☝️ arrow_right ➡️ arrow_up ⬆️ arrow_down ⬇️ repeat 🔁 stop_sign 🛑 100 💯`
  .trim()
  .split(/\s+/)
const EMOJI = new Map()
for (let at = 0; at < WORDS.length; at += 2) EMOJI.set(WORDS[at], WORDS[at + 1])

/** `unicode` is Slack's dash-separated hexadecimal code points, where it is known. */
export function emojiNode(name, unicode) {
  const points = /^[0-9a-f]{2,6}(-[0-9a-f]{2,6})*$/i.test(unicode ?? '')
    ? unicode.split('-').map((point) => Number.parseInt(point, 16))
    : undefined
  const known = points?.every((point) => point <= 0x10ffff)
    ? String.fromCodePoint(...points)
    : EMOJI.get(name)
  if (!known) return document.createTextNode(`:${name}:`)
  return el('span', { class: 'emoji', role: 'img', 'aria-label': `${name} emoji`, title: `:${name}:` }, known)
}

/** Plain text with its `:names:` drawn. */
export function withEmoji(text) {
  const nodes = []
  let from = 0
  for (const match of String(text ?? '').matchAll(/:([a-z0-9_+-]{1,40}):/g)) {
    if (!EMOJI.has(match[1])) continue
    nodes.push(text.slice(from, match.index), emojiNode(match[1]))
    from = match.index + match[0].length
  }
  return [...nodes, String(text ?? '').slice(from)]
}
