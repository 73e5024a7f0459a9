import fc from 'fast-check'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { ServalError } from '../base/failure.ts'
import { jsonPointer, validInput, validOutput, type InputError } from './validate.ts'

const Line = z.object({ sku: z.string().min(1), quantity: z.int().min(1).max(100) })
const Order = z.object({
  lines: z.array(Line).min(1),
  note: z.string().optional(),
  labels: z.record(z.string().min(1), z.string()).default({}),
  payment: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('token'), token: z.string() }),
    z.object({ kind: z.literal('later') }),
  ]),
})
const good = { lines: [{ sku: 'a', quantity: 1 }], payment: { kind: 'later' } }

const errorsOf = (
  sent: unknown,
  strict = true,
  schema: z.ZodType = Order,
): readonly InputError[] => {
  try {
    validInput(schema, sent, strict)
    return []
  } catch (error) {
    expect(error).toMatchObject({ code: 'invalid-input', kind: 'invalid' })
    return ((error as ServalError).data as { errors: InputError[] }).errors
  }
}
const pointersOf = (sent: unknown, strict = true, schema: z.ZodType = Order) =>
  errorsOf(sent, strict, schema).map(({ pointer }) => pointer)

test('a good input is what its schema reads, with its defaults', () => {
  expect(validInput(Order, good, true)).toEqual({ ...good, labels: {} })
})

test('a field that is undefined is none, as where it does not travel', () => {
  expect(pointersOf({ ...good, more: undefined })).toEqual([])
  expect(pointersOf({ ...good, more: null })).toEqual(['/more'])
})

test('objects that cannot become numbers are refused where lengths are asked for', () => {
  for (const length of [{ toString: 1 }, { valueOf: {}, toString: 1 }])
    for (const strict of [true, false]) {
      expect(pointersOf({ ...good, lines: { length } }, strict)).toEqual(['/lines/length'])
      const lines = [{ sku: { length }, quantity: 1 }]
      expect(pointersOf({ ...good, lines }, strict)).toEqual(['/lines/0/sku/length'])
    }
  const broken = z.string().refine(() => {
    throw new Error('a mistake of ours')
  })
  expect(() => validInput(broken, 'x', true)).toThrow('a mistake of ours')
})

test('each error is named by its JSON Pointer, also deep inside arrays', () => {
  const lines = [{ sku: 'a', quantity: 1 }, { sku: '', quantity: 101 }, { sku: 1 }]
  expect(pointersOf({ ...good, lines })).toEqual([
    '/lines/1/sku',
    '/lines/1/quantity',
    '/lines/2/sku',
    '/lines/2/quantity',
  ])
  expect(pointersOf([])).toEqual([''])
  expect(pointersOf(undefined)).toEqual([''])
  expect(errorsOf(null)[0]?.message).toBeTruthy()
})

test('the detail names the first error', () => {
  expect(() => validInput(Order, { ...good, lines: [] }, true)).toThrow(/^\/lines: /)
  expect(() => validInput(Order, 'text', true)).toThrow(/^The input: /)
})

test('a pointer escapes ~ and /', () => {
  expect(jsonPointer(['a/b', '~', 0, ''])).toBe('/a~1b/~0/0/')
  expect(pointersOf({ ...good, 'a/b~c': 1 })).toEqual(['/a~1b~0c'])
})

test('a strict reader refuses unknown fields wherever they are; another ignores them', () => {
  const sent = {
    ...good,
    lines: [
      { sku: 'a', quantity: 1 },
      { sku: 'b', quantity: 1, price: 0 },
    ],
    payment: { kind: 'later', token: 'x' },
    admin: true,
  }
  expect(pointersOf(sent)).toEqual(['/lines/1/price', '/payment/token', '/admin'])
  expect(pointersOf(sent, false)).toEqual([])
  expect(validInput(Order, sent, false)).toEqual({
    lines: [
      { sku: 'a', quantity: 1 },
      { sku: 'b', quantity: 1 },
    ],
    payment: { kind: 'later' },
    labels: {},
  })
})

test('names of Object.prototype are unknown fields as any others, and change no prototype', () => {
  const names = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'valueOf']
  for (const name of names) {
    const sent: unknown = JSON.parse(
      `{"lines":[{"sku":"a","quantity":1}],"payment":{"kind":"later"},"${name}":{"polluted":1}}`,
    )
    expect(pointersOf(sent)).toEqual([`/${name}`])
    expect(pointersOf(sent, false)).toEqual([])
    const inner: unknown = JSON.parse(
      `{"lines":[{"sku":"a","quantity":1,"${name}":{"polluted":1}}],"payment":{"kind":"later"}}`,
    )
    expect(pointersOf(inner)).toEqual([`/lines/0/${name}`])
  }
  expect('polluted' in {}).toBe(false)
})

test('a record keeps keys that are names of Object.prototype as data, or refuses them', () => {
  const read = validInput(Order, { ...good, labels: { constructor: 'c', toString: 't' } }, true)
  expect(Object.entries(read.labels)).toEqual([
    ['constructor', 'c'],
    ['toString', 't'],
  ])
  const sent: unknown = JSON.parse(
    '{"lines":[{"sku":"a","quantity":1}],"payment":{"kind":"later"},"labels":{"__proto__":"p"}}',
  )
  expect(pointersOf(sent)).toEqual(['/labels/__proto__'])
  expect(pointersOf({ ...good, labels: { '': 'x', a: 1 } })).toEqual(['/labels/', '/labels/a'])
})

test('texts that no store takes are refused, as values and as keys', () => {
  expect(pointersOf({ ...good, note: 'a\0b' })).toEqual(['/note'])
  expect(pointersOf({ ...good, note: '\ud800' })).toEqual(['/note'])
  expect(pointersOf({ ...good, note: '😀' })).toEqual([])
  expect(pointersOf({ ...good, lines: [{ sku: '\udc00', quantity: 1 }] })).toEqual(['/lines/0/sku'])
  expect(pointersOf({ ...good, labels: { 'a\0': 'x' } })).toEqual(['/labels'])
  expect(pointersOf({ ...good, labels: { '\ud800': 'x' } })).toEqual(['/labels'])
})

test('at most a hundred errors are told', () => {
  const lines = Array.from({ length: 500 }, () => ({}))
  expect(errorsOf({ ...good, lines })).toHaveLength(100)
})

test('whatever JSON is sent, the answer is a value of the schema or invalid-input', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.boolean(), (sent, strict) => {
      for (const schema of [Order, z.record(z.string(), z.json()), z.json(), z.array(Line)])
        errorsOf(sent, strict, schema)
    }),
    { numRuns: 300 },
  )
})

test('an unknown field is found wherever it is added to a good input', () => {
  const name = fc
    .string({ minLength: 1 })
    .filter(
      (key) => !['sku', 'quantity'].includes(key) && !key.includes('\0') && key.isWellFormed(),
    )
  fc.assert(
    fc.property(
      fc.array(fc.constant(null), { minLength: 1, maxLength: 20 }),
      fc.nat(19),
      name,
      (rows, at, key) => {
        const index = at % rows.length
        const lines = rows.map((_, row) => {
          const line = { sku: 'a', quantity: 1 }
          if (row === index) Object.defineProperty(line, key, { value: 1, enumerable: true })
          return line
        })
        expect(pointersOf({ ...good, lines })).toEqual([jsonPointer(['lines', index, key])])
        expect(pointersOf({ ...good, lines }, false)).toEqual([])
      },
    ),
    { numRuns: 200 },
  )
})

test('an output that does not fit is the handler’s fault, and the message says where', () => {
  expect(validOutput(Line, { sku: 'a', quantity: 1, more: true }, 'orders.line')).toEqual({
    sku: 'a',
    quantity: 1,
  })
  expect(() => validOutput(Line, { sku: 'a', quantity: 0 }, 'orders.line')).toThrow(
    expect.objectContaining({
      code: 'invalid-output',
      kind: 'internal',
      message: expect.stringMatching(/^orders\.line: \/quantity /),
    }),
  )
})
