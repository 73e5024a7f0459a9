import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { Ajv } from 'ajv'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { asyncApi } from './asyncapi.ts'
import { contract, event, type Message } from './index.ts'

const stock = contract('stock', {
  operations: {},
  events: {
    moved: event('stock.moved', {
      version: 2,
      key: 'sku',
      data: z.object({
        sku: z.string(),
        by: z.int(),
        why: z.enum(['sold', 'lost']).nullable(),
        note: z.string().optional(),
        at: z.tuple([z.number(), z.number()]).optional(),
        lines: z.array(z.object({ size: z.int().default(1) })).default([]),
      }),
    }),
    gone: event('stock.gone', { version: 1, key: 'sku', data: z.object({ sku: z.string() }) }),
  },
})
const silent = contract('silent', { operations: {} })
const document = asyncApi({ title: 'Stock', version: '1', contracts: [stock, silent] })

/** Formats are notes here, and the official schema brings the schema of schemas itself. */
const ajv = () =>
  new Ajv({
    strict: false,
    validateFormats: false,
    allErrors: true,
    meta: false,
    validateSchema: false,
  })

const official = () => {
  const path = createRequire(import.meta.url).resolve('@asyncapi/specs/schemas/3.0.0.json')
  return ajv().compile(JSON.parse(readFileSync(path, 'utf8')) as object)
}

test('the document is one of AsyncAPI 3.0', () => {
  const validate = official()
  expect(validate(document) ? [] : validate.errors).toEqual([])
  for (const wrong of [
    { ...document, info: { title: 'no version' } },
    { ...document, asyncapi: '3.1' },
    { ...document, operations: { send: { action: 'shout' } } },
    { ...document, channels: { a: { address: 1 } } },
  ])
    expect(validate(wrong)).toBe(false)
})

const at = (value: unknown, ...path: string[]): unknown =>
  path.reduce((inside, name) => (inside as Record<string, unknown> | undefined)?.[name], value)

test('each event has a channel, with one message that is sent there', () => {
  const ids = ['stock.stock.moved.v2', 'stock.stock.gone.v1']
  for (const part of [
    at(document, 'channels'),
    at(document, 'operations'),
    at(document, 'components', 'messages'),
  ])
    expect(Object.keys(part as object)).toEqual(ids)
  expect(at(document, 'channels', 'stock.stock.moved.v2')).toEqual({
    address: 'stock.stock.moved.v2',
    messages: { 'stock.moved.v2': { $ref: '#/components/messages/stock.stock.moved.v2' } },
  })
})

test('every reference leads somewhere', () => {
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]*)"/g)]
  expect(references.length).toBeGreaterThan(6)
  for (const [, path = ''] of references)
    expect(at(document, ...path.split('/')), path).toBeDefined()
})

const moved: Message = {
  specversion: '1.0',
  id: '0190',
  source: 'stock',
  type: 'stock.moved.v2',
  subject: 'A',
  time: '2026-01-01T00:00:00.000Z',
  data: { sku: 'A', by: -1, why: null, lines: [{ size: 1 }] },
  correlationid: 'r',
  partition: 0,
  position: 1,
}

test('a message as it is published fits its schema, and another does not', () => {
  const payload = at(document, 'components', 'messages', 'stock.stock.moved.v2', 'payload')
  const validate = ajv().compile({
    ...(payload as object),
    components: at(document, 'components'),
  })
  const data = moved.data as object
  expect(validate(moved) ? [] : validate.errors).toEqual([])
  // Within a version optional fields are added, and nobody stumbles over them.
  expect(validate({ ...moved, traceparent: '00', data: { ...data, new: 1 } })).toBe(true)
  expect(validate({ ...moved, data: { ...data, at: [1, 2] } })).toBe(true)
  for (const wrong of [
    { ...moved, type: 'stock.moved.v1' },
    { ...moved, source: 'other' },
    { ...moved, specversion: '0.3' },
    { ...moved, position: 0 },
    { ...moved, data: undefined },
    { ...moved, data: { ...data, by: 1.5 } },
    { ...moved, data: { ...data, why: 'eaten' } },
    { ...moved, data: { ...data, at: [1, 'b'] } },
    { ...moved, data: { sku: 'A' } },
  ])
    expect(validate(JSON.parse(JSON.stringify(wrong))), JSON.stringify(wrong)).toBe(false)
})
