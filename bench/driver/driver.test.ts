import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { runLoad } from './load.ts'
import { requestsOf, type Traffic } from './requests.ts'

type Handle = (request: IncomingMessage, response: ServerResponse, body: string) => void

let close: () => void = () => undefined
afterEach(() => close())

const serve = async (handle: Handle) => {
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => void (body += chunk.toString('utf8')))
    request.on('end', () => handle(request, response, body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  close = () => {
    server.closeAllConnections()
    server.close()
  }
  const { port } = server.address() as AddressInfo
  return { host: '127.0.0.1', port, operatorKey: 'key' }
}

const reads: Traffic = { kind: 'reads', skus: ['A', 'B'] }
const load = { connections: 3, seconds: 20, requests: 50, expect: 200 }

test.each([
  ['of a stated length', (response: ServerResponse) => response.end('{"a":1}')],
  [
    'in chunks, which come one by one',
    (response: ServerResponse) => {
      response.write('{"a"')
      setImmediate(() => response.end(':1}'))
    },
  ],
  [
    'of a megabyte',
    (response: ServerResponse) => response.end(Buffer.alloc(1_000_000, 'x').toString('latin1')),
  ],
])('replies %s are counted', async (_, answer) => {
  const target = await serve((__, response) => answer(response))
  const round = await runLoad({ ...load, ...target }, requestsOf(reads, target))
  expect(round).toMatchObject({ answered: 50, failed: {} })
  expect(round.ms.p50).toBeGreaterThan(0)
  expect(round.ms.p99).toBeGreaterThanOrEqual(round.ms.p50)
})

test('another status is a failure, with what was said', async () => {
  let count = 0
  const target = await serve((_, response) => {
    response.statusCode = (count += 1) % 5 === 0 ? 503 : 200
    response.end('no')
  })
  const round = await runLoad({ ...load, ...target }, requestsOf(reads, target))
  expect(round).toMatchObject({ answered: 40, failed: { 503: 10 }, complaint: 'no' })
})

test('a connection that the server closes ends the round with a failure', async () => {
  const target = await serve((request) => request.socket.destroy())
  const round = await runLoad({ ...load, ...target }, requestsOf(reads, target))
  expect(round.answered).toBe(0)
  expect(Object.values(round.failed)).toEqual([3])
})

test('orders have keys of their own, and the same seed makes the same orders', async () => {
  const seen: { key: unknown; token: unknown; body: string }[] = []
  const target = await serve((request, response, body) => {
    const { authorization, 'idempotency-key': key } = request.headers
    seen.push({ key, token: authorization, body })
    response.statusCode = 201
    response.end('{}')
  })
  const skus = ['SKU-1', 'SKU-2', 'SKU-3']
  const tokens = ['one', 'two']
  const run = async (name: string) => {
    const traffic: Traffic = { kind: 'orders', skus, tokens, run: name, seed: 7 }
    const round = await runLoad(
      { ...load, ...target, connections: 1, expect: 201 },
      requestsOf(traffic, target),
    )
    expect(round.answered).toBe(50)
    return seen.splice(0)
  }
  const [first, second] = [await run('a'), await run('b')]
  expect(new Set([...first, ...second].map(({ key }) => key)).size).toBe(100)
  expect(first.map(({ body }) => body)).toEqual(second.map(({ body }) => body))
  expect(new Set(first.map(({ token }) => token))).toEqual(new Set(['Bearer one', 'Bearer two']))
  for (const { body } of first) {
    const { lines } = JSON.parse(body) as { lines: { sku: string; quantity: number }[] }
    expect(lines.length).toBeGreaterThan(0)
    for (const line of lines) expect(skus).toContain(line.sku)
  }
})

test('products are asked for once each when they are to be new', async () => {
  const paths: string[] = []
  const target = await serve((request, response) => {
    paths.push(request.url ?? '')
    response.end('{}')
  })
  await runLoad({ ...load, ...target }, requestsOf({ kind: 'first-reads', from: 100 }, target))
  expect(new Set(paths).size).toBe(50)
  expect(paths).toContain('/api/v1/products/COLD-100')
})
