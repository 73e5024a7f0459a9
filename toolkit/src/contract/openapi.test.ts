import { expect, test } from 'vitest'
import { z } from 'zod'
import { statusOf } from '../edge/problems.ts'
import { command, contract, del, get, patch, post, problem, put, query } from './index.ts'
import { openApi } from './openapi.ts'
import type { Operation } from './operation.ts'

const Taken = problem('taken', { kind: 'conflict', title: 'It is taken' })
const Closed = problem('closed', { kind: 'conflict', title: 'It is closed' })
const Limited = problem('limited', { kind: 'limited', title: 'Too many' })
const Item = z.object({
  id: z.string(),
  size: z.int().min(1),
  tags: z.array(z.string()).optional(),
})
const user = { summary: 'Does it', access: 'user', output: Item } as const

const items = contract('items', {
  operations: {
    list: query({
      ...user,
      access: 'public',
      http: get('/items'),
      input: z.object({ q: z.string().optional(), limit: z.int().default(20), exact: z.boolean() }),
    }),
    read: query({
      ...user,
      http: get('/items/:id', { etag: true }),
      input: z.object({ id: z.string() }),
    }),
    create: command({
      ...user,
      repeat: 'key',
      http: post('/items', { status: 201 }),
      input: Item,
      problems: [Taken, Closed, Limited],
    }),
    change: command({ ...user, repeat: 'never', http: patch('/items/:id'), input: Item }),
    count: command({
      ...user,
      repeat: 'natural',
      http: put('/items/:id/count', { status: 202 }),
      input: Item,
      output: z.undefined(),
    }),
    cancel: command({
      ...user,
      repeat: 'natural',
      http: post('/items/:user-id/cancel'),
      input: z.object({ 'user-id': z.string() }),
    }),
    remove: command({
      ...user,
      repeat: 'natural',
      http: del('/items/:id'),
      input: z.object({ id: z.string(), force: z.boolean().optional() }),
      output: z.undefined(),
    }),
    watch: query({
      ...user,
      access: 'operator',
      http: get('/operator/items'),
      input: z.object({}),
    }),
    hidden: query({ ...user, access: 'internal', input: z.object({}) }),
  },
})

interface Parameter {
  readonly name: string
  readonly in: string
  readonly required: boolean
  readonly schema: object
}
interface Described {
  readonly operationId: string
  readonly parameters: readonly Parameter[]
  readonly requestBody?: {
    readonly content: {
      readonly 'application/json': {
        readonly schema: {
          readonly required: string[]
          readonly properties: object
          readonly additionalProperties: boolean
        }
      }
    }
  }
  readonly responses: Readonly<
    Record<
      string,
      { readonly description: string; readonly content?: Readonly<Record<string, unknown>> }
    >
  >
  readonly security: readonly object[]
}
interface Document {
  readonly openapi: string
  readonly paths: Readonly<Record<string, Readonly<Record<string, Described>>>>
  readonly components: {
    readonly schemas: object
    readonly securitySchemes: Readonly<Record<string, unknown>>
  }
}

const documentOf = (
  serves: (operation: Operation) => boolean = (operation) => operation.access !== 'operator',
) =>
  openApi({
    title: 'Items',
    version: '1',
    contracts: [items],
    serves,
    statusOf,
  }) as unknown as Document
const document = documentOf()
const at = (path: string, method: string) => document.paths[path]?.[method] as Described
const all = Object.entries(document.paths).flatMap(([path, byMethod]) =>
  Object.entries(byMethod).map(([method, described]) => ({ path, method, described })),
)

test('every bound operation that is served is there, and no other', () => {
  expect(
    all.map(({ path, method, described }) => `${method} ${path} ${described.operationId}`).sort(),
  ).toEqual([
    'delete /items/{id} items.remove',
    'get /items items.list',
    'get /items/{id} items.read',
    'patch /items/{id} items.change',
    'post /items items.create',
    'post /items/{user-id}/cancel items.cancel',
    'put /items/{id}/count items.count',
  ])
  expect(Object.keys(documentOf((operation) => operation.access === 'operator').paths)).toEqual([
    '/operator/items',
  ])
})

test('it is an OpenAPI 3.1 document that JSON can hold', () => {
  expect(document.openapi).toMatch(/^3\.1\.\d+$/)
  expect(JSON.parse(JSON.stringify(document))).toEqual(document)
  expect(JSON.stringify(document)).not.toContain('$schema')
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(
    ([, target]) => target,
  )
  expect([...new Set(references)]).toEqual(['#/components/schemas/Problem'])
})

test('each {name} of a path is a required parameter, once, and each operation has a success and an id of its own', () => {
  for (const { path, method, described } of all) {
    const named = [...path.matchAll(/\{([^}]+)\}/g)].map(([, name]) => name)
    const inPath = described.parameters.filter((one) => one.in === 'path')
    expect(inPath.map((one) => one.name)).toEqual(named)
    for (const one of inPath) expect(one.required).toBe(true)
    const places = described.parameters.map((one) => `${one.in} ${one.name}`)
    expect(new Set(places).size).toBe(places.length)
    for (const [status, reply] of Object.entries(described.responses)) {
      expect(status).toMatch(/^[1-5]\d\d$/)
      expect(reply.description).toBeTruthy()
    }
    expect(Object.keys(described.responses).some((status) => status.startsWith('2'))).toBe(true)
    expect(described.requestBody === undefined || !['get', 'delete'].includes(method)).toBe(true)
    for (const scheme of described.security.flatMap((one) => Object.keys(one)))
      expect(document.components.securitySchemes[scheme]).toBeDefined()
  }
  expect(new Set(all.map(({ described }) => described.operationId)).size).toBe(all.length)
})

test('fields of GET and DELETE are query parameters, of the rest they are the body without the path’s', () => {
  expect(at('/items', 'get').parameters).toEqual([
    { name: 'q', in: 'query', required: false, schema: { type: 'string' } },
    expect.objectContaining({ name: 'limit', in: 'query', required: false }),
    { name: 'exact', in: 'query', required: true, schema: { type: 'boolean' } },
  ])
  const body = at('/items/{id}', 'patch').requestBody?.content['application/json'].schema
  expect(Object.keys(body?.properties ?? {})).toEqual(['size', 'tags'])
  expect(body).toMatchObject({ required: ['size'], additionalProperties: false })
  expect(at('/items/{user-id}/cancel', 'post').requestBody).toBeUndefined()
})

test('every declared problem is under its status, by its code', () => {
  const replies = at('/items', 'post').responses
  expect(replies['409']?.description).toContain('It is taken (taken); It is closed (closed)')
  expect(replies['429']?.description).toContain('Too many (limited)')
  for (const [status, reply] of Object.entries(replies))
    expect(Object.keys(reply.content ?? {})).toEqual([
      status < '300' ? 'application/json' : 'application/problem+json',
    ])
})

test('what follows from access, key and ETag is told', () => {
  expect(at('/items', 'get').security).toEqual([])
  expect(at('/items', 'get').responses['401']).toBeUndefined()
  expect(at('/items/{id}', 'get').security).toEqual([{ bearer: [] }])
  expect(Object.keys(at('/items/{id}', 'get').responses)).toEqual(
    expect.arrayContaining(['200', '304', '401', '403']),
  )
  expect(at('/items', 'post').parameters).toEqual([
    expect.objectContaining({ name: 'Idempotency-Key', in: 'header', required: true }),
  ])
  expect(at('/items', 'post').responses['422']?.description).toContain('Idempotency-Key')
})

test('a reply without a value has no content', () => {
  expect(at('/items/{id}', 'delete').responses['204']).toEqual({ description: 'Does it' })
  expect(at('/items/{id}/count', 'put').responses['202']).toEqual({ description: 'Does it' })
})
