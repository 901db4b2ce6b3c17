/** Word and PDF files for tests, written here. */
import { crc32, deflateRawSync, deflateSync } from 'node:zlib'

/** A ZIP file of these parts. `says`: what it claims a part unpacks to, in bytes. */
export function makeZip(parts: Record<string, string | Buffer>, says?: number): Buffer {
  const files: Buffer[] = []
  const directory: Buffer[] = []
  let at = 0
  for (const [name, content] of Object.entries(parts)) {
    const raw = Buffer.from(content)
    const packed = deflateRawSync(raw)
    const about = Buffer.alloc(26)
    about.writeUInt16LE(20, 0)
    about.writeUInt16LE(8, 4)
    about.writeUInt32LE(crc32(raw), 10)
    about.writeUInt32LE(packed.length, 14)
    about.writeUInt32LE(says ?? raw.length, 18)
    about.writeUInt16LE(name.length, 22)
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), about, Buffer.from(name), packed])
    const central = Buffer.alloc(42)
    central.writeUInt16LE(20, 0)
    about.copy(central, 2, 0, 26)
    central.writeUInt32LE(at, 38)
    directory.push(Buffer.from('PK\x01\x02'), central, Buffer.from(name))
    files.push(local)
    at += local.length
  }
  const list = Buffer.concat(directory)
  const end = Buffer.alloc(18)
  end.writeUInt16LE(files.length, 4)
  end.writeUInt16LE(files.length, 6)
  end.writeUInt32LE(list.length, 8)
  end.writeUInt32LE(at, 12)
  return Buffer.concat([...files, list, Buffer.from('PK\x05\x06'), end])
}

const XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
const WORD = 'http://schemas.openxmlformats.org/wordprocessingml/2006/main'
const PACKAGE = 'http://schemas.openxmlformats.org/package/2006'

/** A Word document: `# ` begins a heading, `| a | b |` a row of a table, everything else is a paragraph. */
export function makeDocx(lines: readonly string[]): Buffer {
  const run = (text: string) => `<w:r><w:t xml:space="preserve">${text}</w:t></w:r>`
  const row = (line: string) =>
    `<w:tr>${line
      .split('|')
      .slice(1, -1)
      .map((cell) => `<w:tc><w:p>${run(cell.trim())}</w:p></w:tc>`)
      .join('')}</w:tr>`
  const body = lines.map((line) => {
    if (line.startsWith('|')) return `<w:tbl>${line.split('\n').map(row).join('')}</w:tbl>`
    const [, marks = '', text = ''] = /^(#*) ?(.*)$/s.exec(line) ?? []
    const style = marks ? `<w:pPr><w:pStyle w:val="Heading${marks.length}"/></w:pPr>` : ''
    return `<w:p>${style}${run(text)}</w:p>`
  })
  return makeZip(docxParts(body.join('')))
}

/** The parts of a Word document with this body, as XML. */
export function docxParts(body: string): Record<string, string> {
  const styles = [1, 2, 3].map(
    (n) => `<w:style w:type="paragraph" w:styleId="Heading${n}"><w:name w:val="heading ${n}"/></w:style>`,
  )
  const type = 'application/vnd.openxmlformats-officedocument.wordprocessingml'
  return {
    '[Content_Types].xml': `${XML}<Types xmlns="${PACKAGE}/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/word/document.xml" ContentType="${type}.document.main+xml"/><Override PartName="/word/styles.xml" ContentType="${type}.styles+xml"/></Types>`,
    '_rels/.rels': `${XML}<Relationships xmlns="${PACKAGE}/relationships"><Relationship Id="a" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/></Relationships>`,
    'word/_rels/document.xml.rels': `${XML}<Relationships xmlns="${PACKAGE}/relationships"><Relationship Id="a" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles" Target="styles.xml"/></Relationships>`,
    'word/styles.xml': `${XML}<w:styles xmlns:w="${WORD}">${styles.join('')}</w:styles>`,
    'word/document.xml': `${XML}<w:document xmlns:w="${WORD}"><w:body>${body}</w:body></w:document>`,
  }
}

/** A PDF whose pages hold these lines; an empty line leaves a gap. `title` stands in its properties. */
export function makePdf(pages: readonly (readonly string[])[], { title = '', more = '' } = {}): Buffer {
  const quote = (text: string) => text.replace(/[\\()]/g, '\\$&')
  const streams = pages.map((lines) =>
    Buffer.from(
      `BT /F1 12 Tf 14 TL 72 720 Td ${lines.map((line) => `(${quote(line)}) Tj T*`).join(' ')} ET`,
      'latin1',
    ),
  )
  const first = 5
  const objects: Buffer[] = [
    Buffer.from('<< /Type /Catalog /Pages 2 0 R >>'),
    Buffer.from(
      `<< /Type /Pages /Count ${pages.length} /Kids [${pages.map((_, at) => `${first + at * 2} 0 R`).join(' ')}] >>`,
    ),
    Buffer.from('<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>'),
    Buffer.from(title ? `<< /Title (${quote(title)}) >>` : '<< >>'),
    ...streams.flatMap((stream, at) => [
      Buffer.from(
        `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> >> /Contents ${first + at * 2 + 1} 0 R >>`,
      ),
      pdfStream(stream),
    ]),
  ]
  return assemble(objects, more)
}

/** A PDF of one page whose content unpacks to so many bytes. */
export function makePdfBomb(bytes: number): Buffer {
  const page = '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R >>'
  return assemble([
    Buffer.from('<< /Type /Catalog /Pages 2 0 R >>'),
    Buffer.from('<< /Type /Pages /Count 1 /Kids [3 0 R] >>'),
    Buffer.from(page),
    pdfStream(Buffer.alloc(bytes, '(x) Tj ')),
  ])
}

function pdfStream(raw: Buffer): Buffer {
  const packed = deflateSync(raw)
  return Buffer.concat([
    Buffer.from(`<< /Length ${packed.length} /Filter /FlateDecode >>\nstream\n`),
    packed,
    Buffer.from('\nendstream'),
  ])
}

function assemble(objects: readonly Buffer[], more = ''): Buffer {
  const parts = [Buffer.from('%PDF-1.7\n')]
  const places: number[] = []
  let at = parts[0]?.length ?? 0
  for (const [n, object] of objects.entries()) {
    const part = Buffer.concat([Buffer.from(`${n + 1} 0 obj\n`), object, Buffer.from('\nendobj\n')])
    places.push(at)
    parts.push(part)
    at += part.length
  }
  const table = places.map((place) => `${String(place).padStart(10, '0')} 00000 n \n`).join('')
  parts.push(
    Buffer.from(
      `xref\n0 ${places.length + 1}\n0000000000 65535 f \n${table}trailer\n<< /Size ${places.length + 1} /Root 1 0 R /Info 4 0 R ${more} >>\nstartxref\n${at}\n%%EOF\n`,
    ),
  )
  return Buffer.concat(parts)
}
