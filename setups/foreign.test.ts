import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { systemEnv } from 'serval'
import { argon2Passwords } from 'serval/engines/argon2'
import { joseSigner } from 'serval/engines/jose'
import { mailbox } from 'serval/engines/mailbox'
import { pglite } from 'serval/engines/pglite'
import { sqlStores } from 'serval/engines/sql'
import { settingsFrom, startHost, type RunningHost } from 'serval/host'
import { eventually, manualEnv, startTestServices } from 'serval/testing'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { finalOrder, newCustomer, stockOf } from '../shop/guarantees/shop-in-test.suite.ts'
import { orders } from '../shop/orders/contract.ts'
import { shop } from '../shop/shop.ts'
import { foreignOf } from './foreign.ts'
import { oneProcess } from './one-process.ts'

/* A kitten whose payment provider is a server that was written without Serval. */

interface Charged {
  readonly chargeId: string
  readonly asked: number
  readonly voided: boolean
}
const charged = new Map<string, Charged>()
let leftHanging = 0

/** Charges once per reference. A card decides whether a first reply is lost, or whether there is any. */
const answerTo = (method: string, url: string, body: string) => {
  if (method === 'GET') return { status: 200, value: { charges: charged.size, charged: [], refunds: 0, doubled: 0 } } // prettier-ignore
  const [, voided] = /^\/v1\/charges\/([^/]+)\/void$/.exec(url) ?? []
  if (voided !== undefined) {
    const before = charged.get(voided)
    charged.set(voided, { chargeId: '', asked: 0, ...before, voided: true })
    return { status: 200, value: { refunded: before !== undefined } }
  }
  const { reference, token } = JSON.parse(body) as { reference: string; token: string }
  if (token === 'tok_hang') return 'hangs'
  if (token === 'tok_declined') return { status: 402, value: { why: 'no money' } }
  const before = charged.get(reference) ?? { chargeId: `ch_${charged.size}`, asked: 0, voided: false } // prettier-ignore
  charged.set(reference, { ...before, asked: before.asked + 1 })
  if (token === 'tok_lost' && before.asked === 0) return 'lost'
  return { status: 201, value: { chargeId: before.chargeId } }
}

const server = createServer((request, response) => {
  const { method = '', url = '', headers, socket } = request
  let body = ''
  request.on('data', (bytes: Buffer) => (body += bytes.toString()))
  request.on('end', () => {
    if (headers.authorization !== 'Bearer hunter2') return void response.writeHead(401).end()
    const answer = answerTo(method, url, body)
    if (answer === 'lost') return void socket.destroy()
    if (answer === 'hangs') return void response.on('close', () => (leftHanging += 1))
    response.writeHead(answer.status, { 'content-type': 'application/json' })
    return void response.end(JSON.stringify(answer.value))
  })
})

let settings: ReturnType<typeof settingsFrom>
let data = ''
beforeAll(async () => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : 0
  data = await mkdtemp(join(tmpdir(), 'serval-foreign-'))
  settings = settingsFrom({
    SERVAL_ACQUIRER_URL: `http://127.0.0.1:${port}/v1`,
    SERVAL_ACQUIRER_KEY: 'hunter2',
    SERVAL_DATA: data,
    SERVAL_PORT: '0',
    SERVAL_OPERATOR_PORT: '0',
  })
})
afterAll(async () => {
  server.closeAllConnections()
  server.close()
  await rm(data, { recursive: true })
})
beforeEach(() => charged.clear())

/** What a customer does and sees, over HTTP. */
const customerOf = async ({ edge }: RunningHost) => {
  const ask = async (path: string, init: RequestInit = {}) => {
    const reply = await fetch(`http://127.0.0.1:${edge?.public.port}${path}`, init)
    return (await reply.json()) as Readonly<Record<string, unknown>>
  }
  const asJson = (body: unknown, headers = {}): RequestInit => ({
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
  const { accessToken } = await ask('/api/v1/auth/login', asJson({ email: 'customer@shop.test', password: 'serval-demo' })) // prettier-ignore
  const authorization = `Bearer ${String(accessToken)}`
  const order = async (token: string) => {
    const lines = [{ sku: 'KIT-0001', quantity: 1 }]
    const { id } = await ask(
      '/api/v1/orders',
      asJson({ lines, payment: { token } }, { authorization, 'idempotency-key': token }),
    )
    return eventually(async () => {
      const found = await ask(`/api/v1/orders/${String(id)}`, { headers: { authorization } })
      return ['confirmed', 'cancelled'].includes(String(found['status'])) ? found : undefined
    }, `the end of the order with ${token}`)
  }
  return { ask, asJson, order }
}

test('orders are charged at the provider, once although its reply was lost; its key is told to nobody else', async () => {
  const lines: string[] = []
  const write = (...said: unknown[]) => void lines.push(inspect(said, { depth: 9 }))
  const log = { debug: write, info: write, warn: write, error: write, with: () => log }
  const setup = { ...oneProcess(settings), stores: sqlStores(pglite({})) }
  const host = await startHost({ setup, env: systemEnv(), log })
  try {
    expect([...host.services.stores.keys()]).not.toContain('acquirer')
    const { ask, asJson, order } = await customerOf(host)
    expect(await order('tok_ok')).toMatchObject({ status: 'confirmed' })
    expect(await order('tok_lost')).toMatchObject({ status: 'confirmed' })
    expect([...charged.values()].map(({ asked }) => asked)).toEqual([1, 2])
    expect(await order('tok_declined')).toMatchObject({ status: 'cancelled', reason: 'payment-declined' }) // prettier-ignore
    // How the provider is called is nothing that customers can see, or call.
    expect(await ask('/charges', asJson({}))).toMatchObject({ status: 404 })
    expect(JSON.stringify(await ask('/openapi.json'))).not.toContain('/charges')
    const key = { 'x-serval-operator': host.edge?.operatorKey ?? '' }
    const statement = await fetch(`http://127.0.0.1:${host.edge?.operator.port}/operator/v1/acquirer`, { headers: key }) // prettier-ignore
    expect(await statement.json()).toMatchObject({ doubled: 0 })
    expect(lines.join('\n')).not.toContain('hunter2')
  } finally {
    await host.drain()
  }
}, 60_000)

test('a provider that hangs is left after the capture’s own ten seconds, and told to void', async () => {
  const env = manualEnv(Date.now())
  const services = shop.services.filter(({ contract }) => contract.name !== 'acquirer')
  const running = await startTestServices({
    services,
    foreign: foreignOf(settings),
    placement: 'together',
    env,
    ports: {
      mail: mailbox({}),
      passwords: argon2Passwords({ memoryKib: 8, passes: 1 }),
      tokens: joseSigner(),
    },
  })
  const user = await newCustomer(running, 'hanging')
  await stockOf(running, [{ sku: 'TEA', onHand: 9 }])
  const order = { lines: [{ sku: 'TEA', quantity: 1 }], payment: { token: 'tok_hang' } }
  const begun = env.now()
  const { id } = await running.client(orders, user).place(order, { key: 'hangs' })
  const reaches = (status: string, stepMs: number) =>
    eventually(async () => {
      await env.advance(stepMs)
      return (await running.client(orders, user).order({ id })).status === status
    }, `the order to be ${status}`)
  await reaches('reserved', 50)
  await reaches('cancelled', 500)
  expect(env.now() - begun).toBeGreaterThan(9_900)
  expect(await finalOrder(running, user, id)).toMatchObject({ reason: 'payment-timeout' })
  await eventually(() => leftHanging > 0, 'the end of the request')
  await eventually(async () => {
    await env.advance(50)
    return charged.get(id)?.voided
  }, 'the void')
  await running.end()
}, 60_000)

test('without a provider’s address nothing is foreign, and a wrong address is named', () => {
  expect(foreignOf(settingsFrom({}))).toEqual([])
  const url = 'https://me:hunter2@provider.test'
  expect(() => foreignOf(settingsFrom({ SERVAL_ACQUIRER_URL: url }))).toThrow(/^the foreign service acquirer: SERVAL_ACQUIRER_URL must be (?!.*hunter2)/) // prettier-ignore
})
