import { expect, test } from 'vitest'
import { readCollection } from '../../src/sources/collection.ts'
import { openFiles } from '../support/knowledge.ts'

const whole = {
  'corpus.jsonl': '{"id": 1, "title": "A", "text": "a"}\n\n{"_id": "b", "text": "b", "metadata": {}}\n',
  'queries.jsonl': '{"id": "q1", "text": "what?"}',
  'qrels.tsv': 'query-id\tcorpus-id\tscore\r\nq1\t1\t2\r\nq1\tb\t0\r\n',
}

test('documents, questions and grades are read, also as BEIR writes them', async () => {
  await using files = await openFiles(whole)
  expect(await readCollection(files.dir)).toEqual({
    documents: [
      { id: '1', title: 'A', text: 'a' },
      { id: 'b', title: '', text: 'b' },
    ],
    queries: [{ id: 'q1', text: 'what?' }],
    grades: new Map([
      [
        'q1',
        new Map([
          ['1', 2],
          ['b', 0],
        ]),
      ],
    ]),
  })
})

test.each([
  ['corpus.jsonl', '{"id": "a", "text": "a"}\n{"id": "b"', /corpus\.jsonl:2 is not a line of a collection/],
  ['corpus.jsonl', '{"title": "no id", "text": "a"}', /corpus\.jsonl:1 .*no "id"/s],
  ['qrels.tsv', 'q1\t1\t1\nq1 1 1\n', /qrels\.tsv:2 is not a question, a document and a grade/],
])('%s: %j is an error that names the line', async (file, text, message) => {
  await using files = await openFiles({ ...whole, [file]: text })
  await expect(readCollection(files.dir)).rejects.toThrow(message)
})

test('a file that is missing is named', async () => {
  await using files = await openFiles({ 'corpus.jsonl': '' })
  await expect(readCollection(files.dir)).rejects.toThrow(/(queries\.jsonl|qrels\.tsv) cannot be read/)
})
