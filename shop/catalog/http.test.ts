import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemEnv, type Logger } from 'serval'
import { edge } from 'serval/edge'
import { startTestServices, type TestServices } from 'serval/testing'
import { catalog } from './contract.ts'
import { catalogService } from './service.ts'

/* What a merchant's client sees of products over HTTP: ETag, If-Match, merge patch. */

type Handle = ReturnType<typeof edge>

let system: TestServices
let handle: Handle

beforeAll(async () => {
  system = await startTestServices({ services: [catalogService] })
  const silent: Logger = {
    debug: () => undefined,
    info: () => undefined,
    warn: () => undefined,
    error: () => undefined,
    with: () => silent,
  }
  handle = edge({
    env: systemEnv(),
    log: silent,
    contracts: [catalog],
    link: system.link,
    serves: () => true,
    identify: () =>
      Promise.resolve({ kind: 'user', id: 'm', roles: ['merchant'], session: 's' } as const),
  })
})
afterAll(() => system?.end())

interface Asked {
  readonly status: number
  readonly etag: string
  readonly body: Readonly<Record<string, unknown>>
}

const ask = async (
  method: string,
  target: string,
  options: { readonly headers?: Readonly<Record<string, string>>; readonly body?: unknown } = {},
): Promise<Asked> => {
  const headers: Readonly<Record<string, string>> = {
    ...(options.body === undefined ? {} : { 'content-type': 'application/merge-patch+json' }),
    ...options.headers,
  }
  const sent = options.body === undefined ? '' : JSON.stringify(options.body)
  const reply = await handle({
    method,
    target,
    header: (name) => headers[name],
    remoteAddress: '127.0.0.1',
    signal: new AbortController().signal,
    body: () => Promise.resolve(new TextEncoder().encode(sent)),
  })
  const text =
    reply.body instanceof Uint8Array
      ? new TextDecoder().decode(reply.body)
      : typeof reply.body === 'string'
        ? reply.body
        : ''
  return {
    status: reply.status,
    etag: String(reply.headers['etag'] ?? ''),
    body: text === '' ? {} : (JSON.parse(text) as Readonly<Record<string, unknown>>),
  }
}

const create = (sku: string) =>
  ask('POST', '/api/v1/products', {
    headers: { 'content-type': 'application/json' },
    body: {
      sku,
      name: 'Cup',
      price: { amount: 100, currency: 'GBP' },
      category: 'Tableware',
      // In no order that a database would keep.
      attributes: { size: '1 l', colour: 'Red', b: '2', aa: '3', 10: 'x', 9: 'y' },
    },
  })

describe('a product over HTTP', () => {
  test('has one ETag, whichever operation answers with it', async () => {
    const path = '/api/v1/products/one%20two'
    const created = await create('one two')
    expect(created.status).toBe(201)
    expect(created.etag).not.toBe('')
    expect((await ask('GET', path)).etag).toBe(created.etag)
    const patched = await ask('PATCH', path, {
      headers: { 'if-match': created.etag },
      body: { attributes: { zz: '1', a: '2', colour: null } },
    })
    expect(patched.status).toBe(200)
    expect(patched.etag).not.toBe(created.etag)
    const read = await ask('GET', path)
    expect(read).toEqual(patched)
    expect((await ask('GET', path, { headers: { 'if-none-match': read.etag } })).status).toBe(304)
  })

  test('is not changed by who has not seen it as it is', async () => {
    const { etag } = await create('seen')
    const path = '/api/v1/products/seen'
    expect((await ask('PATCH', path, { body: { name: 'Mug' } })).status).toBe(200)
    for (const stale of [etag, '"other"', `W/${(await ask('GET', path)).etag}`]) {
      const headers = { 'if-match': stale }
      expect((await ask('PATCH', path, { headers, body: { name: 'Bowl' } })).status).toBe(412)
      expect((await ask('DELETE', path, { headers })).status).toBe(412)
    }
    const now = await ask('GET', path)
    expect(now.body['name']).toBe('Mug')
    expect((await ask('DELETE', path, { headers: { 'if-match': now.etag } })).status).toBe(204)
    expect((await ask('GET', path)).status).toBe(404)
    expect((await ask('DELETE', path)).status).toBe(404)
    expect((await ask('PATCH', path, { body: {} })).status).toBe(404)
  })

  test('seen alike by many who change it at once is changed by one of them', async () => {
    const { etag } = await create('raced')
    const path = '/api/v1/products/raced'
    const replies = await Promise.all(
      Array.from({ length: 8 }, (_, n) =>
        ask('PATCH', path, { headers: { 'if-match': etag }, body: { name: `Mug ${n}` } }),
      ),
    )
    const won = replies.filter(({ status }) => status === 200)
    expect(won).toHaveLength(1)
    expect(replies.filter(({ status }) => status === 412)).toHaveLength(7)
    expect((await ask('GET', path)).body['name']).toBe(won[0]?.body['name'])
  })

  test.each([
    [{ sku: 'other' }, '/sku'],
    [{ ifMatch: '*' }, '/ifMatch'],
    [{ colour: 'Red' }, '/colour'],
    [{ price: { amount: 1, vat: 1 } }, '/price/vat'],
    [{ name: null }, '/name'],
    [{ attributes: { 'a/b': 1 } }, '/attributes/a~1b'],
  ])('refuses the patch %j', async (body, pointer) => {
    await create('kept')
    const reply = await ask('PATCH', '/api/v1/products/kept', { body })
    expect(reply.status).toBe(400)
    expect(reply.body['errors']).toEqual([{ pointer, message: expect.any(String) }])
  })

  test('lists and categories have ETags, too', async () => {
    for (const path of ['/api/v1/products', '/api/v1/categories']) {
      const { etag } = await ask('GET', path)
      expect((await ask('GET', path, { headers: { 'if-none-match': etag } })).status).toBe(304)
    }
  })
})
