/**
 * A BERT encoder as an ONNX graph, made of the weights of a safetensors file, so that other runtimes can run the
 * very model we have. Formats: safetensors (8 bytes of length, a JSON header, the numbers), and ONNX's protobuf
 * (onnx.proto3, whose field numbers stand below).
 */

export type BertConfig = {
  hidden_size: number
  num_attention_heads: number
  num_hidden_layers: number
  layer_norm_eps: number
}

/**
 * The graph: `ids` and `mask` [texts, tokens] of int64 go in, `vectors` [texts, hidden_size] come out, the mean
 * of what the last layer says of each token that the mask counts.
 *
 * @throws Error where the file lacks a weight
 */
export function bertGraph(safetensors: Buffer, config: BertConfig): Buffer {
  const { hidden_size: width, num_attention_heads: heads, num_hidden_layers: layers } = config
  const graph = draw(readWeights(safetensors), config.layer_norm_eps)
  const { node, weight, int64, float, linear, norm } = graph
  const perHead = [0, 0, heads, width / heads]

  const length = node('Slice', [node('Shape', ['ids']), int64([1]), int64([2])])
  const positions = node('Slice', [weight('embeddings.position_embeddings.weight'), int64([0]), length])
  const type = node('Slice', [weight('embeddings.token_type_embeddings.weight'), int64([0]), int64([1])])
  const words = node('Gather', [weight('embeddings.word_embeddings.weight'), 'ids'])
  let x = norm('embeddings.LayerNorm', node('Add', [node('Add', [words, type]), positions]))

  const counted = node('Cast', ['mask'], { to: FLOAT })
  const hidden = node('Mul', [node('Sub', [counted, float(1)]), float(10_000)])
  const bias = node('Unsqueeze', [hidden, int64([1, 2])])
  for (let n = 0; n < layers; n += 1) {
    const at = `encoder.layer.${n}`
    const part = (name: string, perm: number[]) => {
      const made = node('Reshape', [linear(`${at}.attention.self.${name}`, x), int64(perHead)])
      return node('Transpose', [made], { perm })
    }
    const scores = node('MatMul', [part('query', [0, 2, 1, 3]), part('key', [0, 2, 3, 1])])
    const scaled = node('Add', [node('Div', [scores, float(Math.sqrt(width / heads))]), bias])
    const seen = node('MatMul', [node('Softmax', [scaled], { axis: -1 }), part('value', [0, 2, 1, 3])])
    const joined = node('Reshape', [node('Transpose', [seen], { perm: [0, 2, 1, 3] }), int64([0, 0, width])])
    x = norm(
      `${at}.attention.output.LayerNorm`,
      node('Add', [x, linear(`${at}.attention.output.dense`, joined)]),
    )
    const wide = node('Gelu', [linear(`${at}.intermediate.dense`, x)])
    x = norm(`${at}.output.LayerNorm`, node('Add', [x, linear(`${at}.output.dense`, wide)]))
  }
  const each = node('Unsqueeze', [counted, int64([2])])
  const sum = node('ReduceSum', [node('Mul', [x, each]), int64([1])], { keepdims: 0 })
  node('Div', [sum, node('ReduceSum', [counted, int64([1])])], {}, 'vectors')
  return graph.write(width)
}

type Weight = { type: number; dims: number[]; bytes: Buffer }

/** The types of ONNX's TensorProto. */
const FLOAT = 1
const INT64 = 7
const TYPES: Record<string, number> = { F32: FLOAT, F16: 10 }

function readWeights(file: Buffer): (name: string) => Weight {
  const length = Number(file.readBigUInt64LE(0))
  const header = JSON.parse(file.toString('utf8', 8, 8 + length))
  return (name) => {
    const { dtype, shape, data_offsets: at } = header[name] ?? {}
    const type = TYPES[dtype]
    if (!type) throw new Error(`the weights lack ${name} as numbers of 16 or 32 bits`)
    return { type, dims: shape, bytes: file.subarray(8 + length + at[0], 8 + length + at[1]) }
  }
}

/** Nodes are drawn in the order in which they are computed; each has one output, whose name is answered. */
function draw(weights: (name: string) => Weight, epsilon: number) {
  const nodes: Buffer[] = []
  const tensors = new Map<string, Buffer>()
  const node = (type: string, inputs: string[], about: Attributes = {}, output = `n${nodes.length}`) => {
    nodes.push(writeNode(type, inputs, output, about))
    return output
  }
  const tensor = (name: string, type: number, dims: number[], bytes: Buffer) => {
    if (!tensors.has(name)) tensors.set(name, writeTensor(name, type, dims, bytes))
    return name
  }
  const weight = (name: string) => {
    const { type, dims, bytes } = weights(name)
    tensor(name, type, dims, bytes)
    return type === FLOAT ? name : node('Cast', [name], { to: FLOAT })
  }
  const int64 = (values: number[]) =>
    tensor(
      `i${values}`,
      INT64,
      [values.length],
      Buffer.from(BigInt64Array.from(values, (value) => BigInt(value)).buffer),
    )
  const float = (value: number) => tensor(`f${value}`, FLOAT, [], Buffer.from(Float32Array.of(value).buffer))
  const linear = (name: string, x: string) => {
    const turned = node('Transpose', [weight(`${name}.weight`)], { perm: [1, 0] })
    return node('Add', [node('MatMul', [x, turned]), weight(`${name}.bias`)])
  }
  const norm = (name: string, x: string) =>
    node('LayerNormalization', [x, weight(`${name}.weight`), weight(`${name}.bias`)], { axis: -1, epsilon })
  const write = (width: number) => writeModel(nodes, [...tensors.values()], width)
  return { node, weight, int64, float, linear, norm, write }
}

/** Whole numbers and lists of them; `epsilon` is the one that is not whole. */
type Attributes = Record<string, number | number[]>

// ModelProto: 1 ir_version, 7 graph, 8 opset_import {2 version}. GraphProto: 1 node, 2 name, 5 initializer,
// 11 input, 12 output. Version 20 of the operators is the first with Gelu.
function writeModel(nodes: Buffer[], tensors: Buffer[], width: number): Buffer {
  const graph = [
    ...nodes.map((node) => bytes(1, node)),
    bytes(2, Buffer.from('bert')),
    ...tensors.map((tensor) => bytes(5, tensor)),
    bytes(11, writeValue('ids', INT64, ['texts', 'tokens'])),
    bytes(11, writeValue('mask', INT64, ['texts', 'tokens'])),
    bytes(12, writeValue('vectors', FLOAT, ['texts', width])),
  ]
  return Buffer.concat([number(1, 9), bytes(8, number(2, 20)), bytes(7, Buffer.concat(graph))])
}

// NodeProto: 1 input, 2 output, 4 op_type, 5 attribute.
function writeNode(type: string, inputs: string[], output: string, about: Attributes): Buffer {
  return Buffer.concat([
    ...inputs.map((input) => bytes(1, Buffer.from(input))),
    bytes(2, Buffer.from(output)),
    bytes(4, Buffer.from(type)),
    ...Object.entries(about).map(([name, value]) => bytes(5, writeAttribute(name, value))),
  ])
}

// AttributeProto: 1 name, 2 f, 3 i, 8 ints, 20 type (1 float, 2 int, 7 ints).
function writeAttribute(name: string, value: number | number[]): Buffer {
  const named = bytes(1, Buffer.from(name))
  if (Array.isArray(value))
    return Buffer.concat([named, ...value.map((one) => number(8, one)), number(20, 7)])
  if (Number.isInteger(value)) return Buffer.concat([named, number(3, value), number(20, 2)])
  const float = Buffer.from(Float32Array.of(value).buffer)
  return Buffer.concat([named, varint((2 << 3) | 5), float, number(20, 1)])
}

// TensorProto: 1 dims, 2 data_type, 8 name, 9 raw_data (little-endian).
function writeTensor(name: string, type: number, dims: number[], data: Buffer): Buffer {
  const about = [...dims.map((dim) => number(1, dim)), number(2, type), bytes(8, Buffer.from(name))]
  return Buffer.concat([...about, bytes(9, data)])
}

// ValueInfoProto: 1 name, 2 type {1 tensor_type {1 elem_type, 2 shape {1 dim {1 dim_value, 2 dim_param}}}}.
function writeValue(name: string, type: number, dims: (number | string)[]): Buffer {
  const shape = dims.map((dim) =>
    bytes(1, typeof dim === 'number' ? number(1, dim) : bytes(2, Buffer.from(dim))),
  )
  const tensor = Buffer.concat([number(1, type), bytes(2, Buffer.concat(shape))])
  return Buffer.concat([bytes(1, Buffer.from(name)), bytes(2, bytes(1, tensor))])
}

function bytes(field: number, value: Buffer): Buffer {
  return Buffer.concat([varint((field << 3) | 2), varint(value.length), value])
}

function number(field: number, value: number): Buffer {
  return Buffer.concat([varint(field << 3), varint(value)])
}

/** Seven bits a byte, the lowest first; negative numbers as 64 bits. */
function varint(value: number): Buffer {
  const out: number[] = []
  let rest = BigInt.asUintN(64, BigInt(value))
  for (; rest > 127n; rest >>= 7n) out.push(Number(rest & 127n) | 128)
  return Buffer.from([...out, Number(rest)])
}
