import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { replay } from './replay.ts'
import type { Report } from './report.ts'
import { startShopInMemory } from './shop-in-memory.suite.ts'

const fixture = join(import.meta.dirname, 'fixture.csv')
let shop: Awaited<ReturnType<typeof startShopInMemory>>
let folder: string

beforeAll(async () => {
  shop = await startShopInMemory()
  folder = await mkdtemp(join(tmpdir(), 'replay-'))
})
afterAll(async () => {
  await shop.end()
  await rm(folder, { recursive: true })
})

/** Runs the program as the command line does. */
const run = async (...argv: string[]) => {
  let out = ''
  let err = ''
  const report = join(folder, 'report.json')
  await rm(report, { force: true })
  const code = await replay([...argv, '--report', report], {
    out: { write: (text: string) => ((out += text), true) },
    err: { isTTY: false, write: (text: string) => ((err += text), true) },
    environment: {},
  })
  const written = await readFile(report, 'utf8').catch(() => undefined)
  // What the program itself has written.
  return { code, out, err, report: written && (JSON.parse(written) as Report) }
}

const here = () => ['--address', shop.address, '--operator', shop.operator, '--key', shop.key]
/** Checks that failed; what was said when there is no report. */
const failedChecks = ({ report, out, err }: Awaited<ReturnType<typeof run>>): unknown[] =>
  report ? report.checks.filter(({ ok }) => !ok) : [out, err]

test('a file is replayed, and every sum agrees', async () => {
  const ran = await run(fixture, ...here())
  const { code, out, report, err } = ran
  expect(failedChecks(ran)).toEqual([])
  expect(code).toBe(0)
  expect(report).toMatchObject({
    file: 'fixture.csv',
    speed: 'max',
    rows: { rows: 28, orders: 9, lines: 21, leftOut: 7 },
    orders: { planned: 9, accepted: 9, earlier: 0, refused: 0, confirmed: 9, cancelled: 0 },
    lines: { accepted: 21, refused: 0 },
    latency: { placing: { count: 9 }, toFinal: { count: 9 }, toMail: { count: 9 } },
    ok: true,
  })
  expect(out).toContain('9 of 9 accepted; 9 confirmed, 0 cancelled')
  expect(out).toContain('✓ payments: sum captured')
  expect(err).toMatch(/products +12 /)
  expect(shop.errors).toEqual([])
})

test('it can be replayed again, at a pace: products and customers are there', async () => {
  const ran = await run(fixture, ...here(), '--speed', '20000x')
  const { code, report } = ran
  expect(failedChecks(ran)).toEqual([])
  expect(code).toBe(0)
  expect(report).toMatchObject({ orders: { accepted: 9, earlier: 0, confirmed: 9 } })
})

test('a run that was stopped is continued under its id: nothing is placed twice', async () => {
  const first = await run(fixture, ...here(), '--run', 'twice', '--limit', '4')
  expect(first.report).toMatchObject({ orders: { accepted: 4, earlier: 0 }, ok: true })
  const second = await run(fixture, ...here(), '--run', 'twice')
  expect(failedChecks(second)).toEqual([])
  expect(second.report).toMatchObject({ orders: { accepted: 9, earlier: 4, confirmed: 9 } })
})

test('what the shop refuses is reported with its reason', async () => {
  const csv = join(folder, 'large.csv')
  const [header, first] = (await readFile(fixture, 'utf8')).split('\n')
  const large = first?.replace('700001', '700099').replace(',6,255', ',100001,255')
  await writeFile(csv, `${header}\n${first}\n${large}\n`)
  const ran = await run(csv, ...here())
  const { code, report } = ran
  expect(failedChecks(ran)).toEqual([])
  expect(report).toMatchObject({
    orders: { accepted: 1, refused: 1 },
    lines: { accepted: 1, refused: 1 },
    refusals: { 'invalid-input': 1 },
  })
  expect(code).toBe(0)
})

test('replies that are lost on the way are asked for again under the same key', async () => {
  // Passes requests on, and drops the connection instead of every third reply to an order.
  let replies = 0
  const lossy = createServer((incoming, outgoing) => {
    const { method = 'GET', url = '/', headers } = incoming
    const onward = request(new URL(url, shop.address), { method, headers }, (reply) => {
      const isOrder = method === 'POST' && url === '/api/v1/orders'
      if (isOrder && (replies += 1) % 3 === 0) {
        reply.resume().on('end', () => incoming.socket.destroy())
        return
      }
      outgoing.writeHead(reply.statusCode ?? 500, reply.headers)
      reply.pipe(outgoing)
    })
    onward.on('error', () => outgoing.destroy())
    incoming.pipe(onward)
  })
  await new Promise<void>((resolve) => lossy.listen(0, '127.0.0.1', resolve))
  const { port } = lossy.address() as AddressInfo
  try {
    const address = `http://127.0.0.1:${port}`
    const at = ['--address', address, '--operator', shop.operator, '--key', shop.key]
    const ran = await run(fixture, ...at)
    const { report } = ran
    expect(failedChecks(ran)).toEqual([])
    expect(report).toMatchObject({ orders: { accepted: 9, earlier: 0, confirmed: 9 } })
    expect(report && (report.retries.unavailable ?? 0)).toBeGreaterThan(2)
  } finally {
    lossy.closeAllConnections()
    await new Promise((resolve) => lossy.close(resolve))
  }
})

test('a shop with another price is refused before anything is placed', async () => {
  const csv = join(folder, 'dearer.csv')
  await writeFile(csv, (await readFile(fixture, 'utf8')).replaceAll(',1800', ',1900'))
  const { code, err } = await run(csv, ...here())
  expect(code).toBe(1)
  expect(err).toContain('The shop sells POST for 1800 GBP; the file’s median is 1900 GBP')
})

test('a wrong key, a wrong password, no shop and a wrong file are told in words', async () => {
  const at = ['--address', shop.address, '--operator', shop.operator]
  const key = await run(fixture, ...at, '--key', 'wrong')
  expect([key.code, key.err]).toEqual([1, expect.stringContaining('key is not this shop’s')])

  const password = await run(fixture, ...here(), '--merchant-password', 'wrong')
  expect(password.err).toContain('merchant@shop.test cannot sign in')
  const role = await run(fixture, ...here(), '--merchant', 'customer@shop.test')
  expect(role.err).toContain('customer@shop.test is not a merchant')

  const away = await run(fixture, '--key', 'any', '--address', 'http://127.0.0.1:1')
  expect([away.code, away.err]).toEqual([
    1,
    expect.stringContaining('No shop answers at http://127.0.0.1:1'),
  ])
  const csv = join(folder, 'wrong.csv')
  await writeFile(csv, 'a,b\n')
  const file = await run(csv, ...here())
  expect([file.code, file.err]).toEqual([
    2,
    expect.stringContaining('wrong.csv, line 1: the header'),
  ])
  expect((await run()).code).toBe(2)
})
