/**
 * A language model without meaning, in the GGUF format (version 3; ggml, docs/gguf.md): the Llama architecture with one
 * layer and weights by chance, a token for each byte, and a chat template. What it says is noise; how it is served is real.
 */
import { writeFile } from 'node:fs/promises'
import { openRandom } from './random.ts'

const WIDTH = 32
const HEADS = 2
const HIDDEN = 64
const CONTEXT = 32_768
const ALIGNMENT = 32
/** llama.cpp's kinds of tokens. */
const KIND = { unknown: 2, control: 3, byte: 6 }
const TEMPLATE = `{% for message in messages %}<|{{ message.role }}|>
{{ message.content }}
{% endfor %}{% if add_generation_prompt %}<|assistant|>
{% endif %}`

/** Writes the model to `file`: some 100 kB, the same bytes every time. */
export async function writeTinyModel(file: string): Promise<void> {
  const tensors = tensorsOf(VOCABULARY.length)
  let offset = 0
  const infos = tensors.map(({ name, shape }) => {
    const at = offset
    offset += pad(4 * sizeOf(shape))
    return Buffer.concat([text(name), u32(shape.length), ...shape.map(u64), u32(F32), u64(at)])
  })
  const keys = keysOf()
  const head = Buffer.concat([
    Buffer.from('GGUF'),
    u32(3),
    u64(tensors.length),
    u64(keys.length),
    ...keys,
    ...infos,
  ])
  const data = tensors.map(({ values }) => padded(Buffer.from(values.buffer)))
  await writeFile(file, Buffer.concat([padded(head), ...data]))
}

/** Three tokens that mean something, then one for each byte. */
const VOCABULARY = [
  { token: '<unk>', kind: KIND.unknown },
  { token: '<s>', kind: KIND.control },
  { token: '</s>', kind: KIND.control },
  ...Array.from({ length: 256 }, (_, byte) => ({
    token: `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`,
    kind: KIND.byte,
  })),
]

function keysOf(): Buffer[] {
  const tokens = VOCABULARY.map(({ token }) => text(token))
  const kinds = VOCABULARY.map(({ kind }) => u32(kind))
  return [
    key('general.architecture', STRING, text('llama')),
    key('general.name', STRING, text('tiny')),
    key('llama.context_length', U32, u32(CONTEXT)),
    key('llama.embedding_length', U32, u32(WIDTH)),
    key('llama.block_count', U32, u32(1)),
    key('llama.feed_forward_length', U32, u32(HIDDEN)),
    key('llama.attention.head_count', U32, u32(HEADS)),
    key('llama.attention.head_count_kv', U32, u32(HEADS)),
    key('llama.rope.dimension_count', U32, u32(WIDTH / HEADS)),
    key('llama.attention.layer_norm_rms_epsilon', F32_KEY, f32(1e-5)),
    key('tokenizer.ggml.model', STRING, text('llama')),
    key('tokenizer.ggml.tokens', ARRAY, array(STRING, tokens)),
    key(
      'tokenizer.ggml.scores',
      ARRAY,
      array(
        F32_KEY,
        VOCABULARY.map(() => f32(0)),
      ),
    ),
    key('tokenizer.ggml.token_type', ARRAY, array(I32, kinds)),
    key('tokenizer.ggml.unknown_token_id', U32, u32(0)),
    key('tokenizer.ggml.bos_token_id', U32, u32(1)),
    key('tokenizer.ggml.eos_token_id', U32, u32(2)),
    key('tokenizer.chat_template', STRING, text(TEMPLATE)),
  ]
}

type Tensor = { name: string; shape: number[]; values: Float32Array }

function tensorsOf(words: number): Tensor[] {
  const random = openRandom(1)
  const matrix = (name: string, ...shape: number[]): Tensor => ({
    name: `${name}.weight`,
    shape,
    values: Float32Array.from({ length: sizeOf(shape) }, () => random.between(-100, 100) / 200),
  })
  const ones = (name: string): Tensor => ({
    name: `${name}.weight`,
    shape: [WIDTH],
    values: new Float32Array(WIDTH).fill(1),
  })
  return [
    matrix('token_embd', WIDTH, words),
    ones('output_norm'),
    matrix('output', WIDTH, words),
    ones('blk.0.attn_norm'),
    ...['q', 'k', 'v', 'output'].map((part) => matrix(`blk.0.attn_${part}`, WIDTH, WIDTH)),
    ones('blk.0.ffn_norm'),
    matrix('blk.0.ffn_gate', WIDTH, HIDDEN),
    matrix('blk.0.ffn_up', WIDTH, HIDDEN),
    matrix('blk.0.ffn_down', HIDDEN, WIDTH),
  ]
}

/** GGUF's kinds of values, and ggml's kind of tensor. */
const [U32, I32, F32_KEY, STRING, ARRAY] = [4, 5, 6, 8, 9]
const F32 = 0

const sizeOf = (shape: readonly number[]) => shape.reduce((all, one) => all * one, 1)
const pad = (bytes: number) => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT
const padded = (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(pad(bytes.length) - bytes.length)])

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  return bytes
}

function f32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeFloatLE(value)
  return bytes
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([u64(bytes.length), bytes])
}

function key(name: string, kind: number, value: Buffer): Buffer {
  return Buffer.concat([text(name), u32(kind), value])
}

function array(kind: number, values: readonly Buffer[]): Buffer {
  return Buffer.concat([u32(kind), u64(values.length), ...values])
}
