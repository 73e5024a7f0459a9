import { expect, test } from 'vitest'
import { z } from 'zod'
import { command, contract, del, get, patch, query, requireMatch } from '../contract/index.ts'
import { memoryStores } from '../engines/memory/index.ts'
import { service } from '../service/index.ts'
import { logger } from '../telemetry/log.ts'
import { manualEnv, startTestServices } from '../testing/index.ts'
import { edge } from './index.ts'
import { request } from './sample.suite.ts'

/* If-Match and If-None-Match over a thing that is read, patched and removed. */

const Note = z.object({ id: z.string(), text: z.string() })
const ifMatch = z.string().max(1_000).optional()
const notes = contract('notes', {
  operations: {
    read: query({
      summary: 'Reads',
      access: 'public',
      http: get('/notes/:id', { etag: true }),
      input: z.object({ id: z.string() }),
      output: Note,
    }),
    change: command({
      summary: 'Changes',
      access: 'public',
      repeat: 'natural',
      http: patch('/notes/:id', { etag: true, ifMatch: true }),
      input: z.object({ id: z.string(), text: z.string(), ifMatch }),
      output: Note,
    }),
    remove: command({
      summary: 'Removes',
      access: 'public',
      repeat: 'natural',
      http: del('/notes/:id', { ifMatch: true }),
      input: z.object({ id: z.string(), ifMatch }),
      output: z.undefined(),
    }),
  },
})
let text = 'first'
const notesService = service(notes, {
  operations: {
    read: async ({ id }) => ({ id, text }),
    change: async (input) => {
      requireMatch(input.ifMatch, Note, { text, id: input.id })
      text = input.text
      return { id: input.id, text }
    },
    remove: async (input) => {
      requireMatch(input.ifMatch, Note, { text, id: input.id })
      return undefined
    },
  },
})

const env = manualEnv()
const ask = async (method: string, headers: Record<string, string>, body?: string, query = '') => {
  const system = await startTestServices({ services: [notesService], stores: memoryStores(), env })
  const reply = await edge({
    env,
    log: logger({ env, write: () => undefined }),
    contracts: [notes],
    link: system.link,
    serves: () => true,
    identify: async () => undefined,
  })(
    request({
      method,
      target: `/notes/1${query}`,
      headers,
      ...(body === undefined ? {} : { body }),
    }),
  )
  await system.end()
  const { errors } = (typeof reply.body === 'string' ? JSON.parse(reply.body) : {}) as {
    errors?: unknown
  }
  return { status: reply.status, etag: String(reply.headers['etag'] ?? ''), errors }
}
const json = { 'content-type': 'application/json' }
const merge = { 'content-type': 'application/merge-patch+json' }

test('a change needs the tag that was read, and answers the next one', async () => {
  const { etag } = await ask('GET', {})
  const second = JSON.stringify({ text: 'second' })
  const changed = await ask('PATCH', { ...merge, 'if-match': etag }, second)
  expect(changed.status).toBe(200)
  expect(changed.etag).toBe((await ask('GET', {})).etag)
  expect(await ask('PATCH', { ...json, 'if-match': etag }, second)).toMatchObject({ status: 412 })
  expect(await ask('DELETE', { 'if-match': etag })).toMatchObject({ status: 412 })
  expect(await ask('DELETE', { 'if-match': changed.etag })).toMatchObject({ status: 204 })
  expect(await ask('PATCH', json, second)).toMatchObject({ status: 200 })
})

test('a tag travels as a header only', async () => {
  const body = JSON.stringify({ text: 'x', ifMatch: '*' })
  expect(await ask('PATCH', json, body)).toMatchObject({
    status: 400,
    errors: [{ pointer: '/ifMatch' }],
  })
  expect(await ask('DELETE', {}, undefined, '?ifMatch=*')).toMatchObject({
    status: 400,
    errors: [{ pointer: '/ifMatch' }],
  })
})
