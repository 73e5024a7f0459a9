import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { requestBytes, send } from './raw-http.ts'
import { killAll, ShopProcess, startShop, type Ended } from './shop-process.ts'

/*
 * How the shop starts and ends. What it cannot start with, it says in one line that names the thing to change; and what it was given to keep
 * is still there afterwards.
 */

const folder = mkdtempSync(join(tmpdir(), 'serval-start-up-'))
const at = (...path: string[]) => join(folder, ...path)
afterAll(async () => {
  await killAll()
  rmSync(folder, { recursive: true, force: true })
})

/** Generous: a start that fails takes a second at most, unless the machine is busy. */
const soonMs = 18_000

const refusalOf = ({ code, stdout, stderr, tookMs }: Ended): string => {
  expect({ code, stdout, stderr }).toEqual({
    code: 1,
    stdout: '',
    stderr: expect.stringMatching(/^\n {2}Cannot start: [^\n]+\n\n$/),
  })
  expect(stderr).not.toMatch(/\n\s+at |node_modules|\[object/)
  expect(tookMs).toBeLessThan(soonMs)
  return stderr.trim().slice('Cannot start: '.length)
}
const refused = async (options: ConstructorParameters<typeof ShopProcess>[0]): Promise<string> =>
  refusalOf(await new ShopProcess(options).ended)

/** Runs the cases two at a time. */
const each = async <T>(cases: readonly T[], run: (one: T) => Promise<unknown>): Promise<void> => {
  const waiting = [...cases]
  const worker = async () => {
    for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) await run(one)
  }
  await Promise.all([worker(), worker()])
}

const signIn = async ({ address }: ShopProcess): Promise<Record<string, string>> => {
  const reply = await send(address, {
    method: 'POST',
    path: '/api/v1/auth/login',
    body: { email: 'customer@shop.test', password: 'serval-demo' },
  })
  return { authorization: `Bearer ${reply.json<{ accessToken: string }>().accessToken}` }
}
const orderOf = (sku: string) => ({ lines: [{ sku, quantity: 1 }], payment: { token: 'tok_ok' } })
const skuOf = async ({ address }: ShopProcess): Promise<string> =>
  (await send(address, { path: '/api/v1/products?limit=1' })).json<{ items: [{ sku: string }] }>()
    .items[0].sku
/** My orders: how many there are of each status. */
const ordersOf = async (shop: ShopProcess): Promise<Record<string, number>> => {
  const reply = await send(shop.address, {
    path: '/api/v1/orders?limit=100',
    headers: await signIn(shop),
  })
  const counts: Record<string, number> = {}
  for (const { status } of reply.json<{ items: { status: string }[] }>().items)
    counts[status] = (counts[status] ?? 0) + 1
  return counts
}
const until = async (what: string, holds: () => Promise<boolean> | boolean): Promise<void> => {
  for (const deadline = performance.now() + soonMs; !(await holds());) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${soonMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
const mailsOf = async (shop: ShopProcess): Promise<number> => {
  const reply = await send(shop.operator, {
    path: '/operator/v1/notifications',
    headers: { 'x-serval-operator': shop.operatorKey },
  })
  return reply.json<{ mailbox: { mails: number } }>().mailbox.mails
}

// A shop that was used: three orders, confirmed and mailed.
const used = at('used')
const first = await startShop({ data: used })
const noise = { stdout: first.stdout, stderr: first.stderr }
const [sku, headers] = [await skuOf(first), await signIn(first)]
for (const key of ['a', 'b', 'c'])
  await send(first.address, {
    method: 'POST',
    path: '/api/v1/orders',
    headers: { ...headers, 'idempotency-key': key },
    body: orderOf(sku),
  })
await until('three mails', async () => (await mailsOf(first)) === 3)
const firstEnd = await first.stop()

test('a normal start prints a greeting and nothing else; SIGTERM ends it with 0', () => {
  expect(noise.stderr).toBe('')
  expect(noise.stdout).toMatch(
    /^\n {2}The shop is ready \(kitten, [\d.]+ s\)\. Ctrl\+C stops it\.\n/,
  )
  expect(noise.stdout).not.toMatch(/warn|error|deprecat|experimental|\n\s+at /i)
  expect(firstEnd).toMatchObject({
    code: 0,
    stdout: noise.stdout,
    stderr: '\n  stopping: finishing what is under way (once more ends at once)\n',
  })
})

describe('cannot start', () => {
  test('with settings and options that are wrong', () =>
    each(
      [
        { args: ['--port', '99999'], says: /--port \(SERVAL_PORT\) .* from 0 to 65535.*"99999"/ },
        { args: ['--port', 'abc'], says: /--port \(SERVAL_PORT\) .*"abc"/ },
        { args: ['--port=-1', '--port', '1.5'], says: /--port \(SERVAL_PORT\) .*"1.5"/ },
        { args: ['--port', '-1'], says: /--port.*--help/ },
        {
          args: ['--operator-port', '65536'],
          says: /--operator-port \(SERVAL_OPERATOR_PORT\) .*"65536"/,
        },
        { env: { SERVAL_LOG: 'loud' }, says: /SERVAL_LOG .*debug, info, warn, error.*"loud"/ },
        { env: { SERVAL_HOST: '192.0.2.1' }, says: /192\.0\.2\.1/ },
        { args: ['--colour', 'red'], says: /--colour.*--help/ },
        { args: ['kitten'], says: /kitten.*--help/ },
        { setup: 'tomcat', says: /tomcat.*kitten, big-cat/ },
        { setup: '__proto__', says: /__proto__.*kitten, big-cat/ },
        { setup: '', says: /kitten, big-cat/ },
      ],
      async ({ says, ...options }) =>
        expect(await refused({ data: at('settings'), ...options })).toMatch(says),
    ))

  test('with a setup file that is none', async () => {
    const complete = `system: { name: 'x', title: 'X', version: '1', services: [] }, development: false, stores: { open() {}, close() {}, name: 'x' }, cache: { open() {} }, ports: {},
      listen() {}, authenticate() {}, edge: {}, public: { host: '127.0.0.1', port: 0 }, operator: { host: '127.0.0.1', port: 0 }, masterSecret() {}`
    const wired = (fields: string) =>
      `export default { name: 'x', wire: (settings) => ({ ${fields} }) }`
    const files: Record<string, readonly [string, RegExp]> = {
      'empty.ts': ['', /default export/],
      'syntax.ts': ['export default {', /cannot be loaded/],
      'types.ts': [
        'enum A { B }\nnamespace C { export const d = 1 }\nexport default A',
        /cannot be loaded|default export/,
      ],
      'throws.ts': ['throw new Error("a mistake of mine")', /a mistake of mine/],
      'imports.ts': ['import "./not-there.ts"', /not-there/],
      'null.ts': ['export default null', /default export/],
      'wiring.ts': ['export default { name: "x", wire: 1 }', /default export/],
      'nothing.ts': [
        'export default { name: "x", wire: () => undefined }',
        /field system must be an object/,
      ],
      'lacks.ts': [
        wired(complete.replace(/stores: .*?}, ports/s, 'ports')),
        /field stores must be an object; it is \w+/,
      ],
      'wrong.ts': [
        wired(complete.replace("title: 'X'", 'title: 7')),
        /field system\.title must be a string; it is number/,
      ],
      'port.ts': [
        wired(complete.replace('port: 0', "port: '8080'")),
        /field public\.port must be a number; it is string/,
      ],
      'list.ts': [
        wired(complete.replace('services: []', 'services: {}')),
        /field system\.services must be an array; it is object/,
      ],
      'asks.ts': [wired(`x: settings.text('SERVAL_MUST')`), /SERVAL_MUST must be set/],
      'range.ts': [
        wired(`x: settings.integer('SERVAL_HERD', 1, { from: 1, to: 9 })`),
        /SERVAL_HERD must be a whole number from 1 to 9; it is "10"/,
      ],
      'type.ts': [wired('x: undefined.length'), /its wiring failed/],
    }
    for (const [name, [text]] of Object.entries(files)) writeFileSync(at(name), text)
    mkdirSync(at('directory.ts'))
    const cases = [
      ...Object.entries(files).map(([name, [, says]]) => [at(name), says] as const),
      [at('missing.ts'), /cannot be loaded/] as const,
      [at('directory.ts'), /cannot be loaded/] as const,
    ]
    await each(cases, async ([setup, says]) => {
      const refusal = await refused({ data: at('settings'), setup, env: { SERVAL_HERD: '10' } })
      expect(refusal).toMatch(says)
      if (!/SERVAL_/.test(refusal)) expect(refusal).toContain(setup)
    })
  }, 60_000)

  test('with a database server that is not there, or does not let it in', async () => {
    // Tells whoever comes that the password is wrong, in PostgreSQL's words (protocol 3.0, ErrorResponse).
    const fields = Buffer.from(
      'SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed for user "serval"\0\0',
    )
    const length = Buffer.alloc(4)
    length.writeInt32BE(4 + fields.length)
    const server = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.once('data', () => socket.end(Buffer.concat([Buffer.from('E'), length, fields])))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    await each(
      [
        { url: undefined, says: /^SERVAL_DATABASE_URL must be postgres:/ },
        { url: '', says: /^SERVAL_DATABASE_URL must be postgres:/ },
        { url: 'geheim', says: /^SERVAL_DATABASE_URL must be postgres:/ },
        {
          url: 'mysql://serval:geheim@127.0.0.1/x',
          says: /^SERVAL_DATABASE_URL must be postgres:/,
        },
        {
          url: 'postgres://serval:geheim%zz@127.0.0.1/x',
          says: /^SERVAL_DATABASE_URL must be postgres:/,
        },
        {
          url: 'postgres://serval:geheim@127.0.0.1:1/x',
          says: /127\.0\.0\.1:1.*ECONNREFUSED.*SERVAL_DATABASE_URL/,
        },
        {
          url: `postgres://serval:geheim@127.0.0.1:${port}/x`,
          says: /password authentication failed.*SERVAL_DATABASE_URL/,
        },
      ],
      async ({ url, says }) => {
        const refusal = await refused({
          data: at('settings'),
          setup: 'big-cat',
          env: { SERVAL_DATABASE_URL: url },
        })
        expect(refusal).toMatch(says)
        expect(refusal).not.toContain('geheim')
      },
    )
    server.close()
  })

  test('with a data folder that cannot be one', async () => {
    writeFileSync(at('file'), 'not a folder')
    mkdirSync(at('strange', 'database'), { recursive: true })
    writeFileSync(at('strange', 'database', 'holiday.jpg'), 'the beach')
    mkdirSync(at('half'), { recursive: true })
    writeFileSync(at('half', 'database'), 'not a folder')
    const linux = process.platform === 'linux' ? ['/proc/serval', '/sys/serval', '/dev/null'] : []
    await each(
      [at('file'), at('file', 'below', 'it'), at('strange'), at('half'), ...linux],
      async (data) => expect(await refused({ data })).toContain(data),
    )
    expect([
      readFileSync(at('file'), 'utf8'),
      readFileSync(at('strange', 'database', 'holiday.jpg'), 'utf8'),
    ]).toEqual(['not a folder', 'the beach'])
    expect(readdirSync(at('strange', 'database'))).toEqual(['holiday.jpg'])
  })
})

/** The files below a folder, without those that a running PostgreSQL and its lock come and go with. */
const filesBelow = (root: string): string[] =>
  readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(
    (name) =>
      statSync(join(root, name)).isFile() &&
      !/serval\.lock|postmaster|pg_internal\.init|pg_stat/.test(name),
  )

test('a damaged data folder is refused, nothing is taken from it, and repaired it starts with all its orders', async () => {
  const copies = [at('damaged 1'), at('damaged 2')]
  for (const copy of copies) cpSync(used, copy, { recursive: true })
  const inDatabase = (pattern: RegExp) => filesBelow(used).filter((name) => pattern.test(name))
  const other = '0123456789abcdef'.repeat(4)
  const cutShort = (bytes: number) => (path: string) => truncateSync(path, bytes)
  const overwritten = (text: string) => (path: string) => writeFileSync(path, text)
  const damages: readonly (readonly [string[], (path: string) => void, RegExp])[] = [
    [['secret'], cutShort(20), /secret.* 64 hexadecimal digits.*backup/],
    [['secret'], overwritten(`${other}\n`), /another master secret.*restore/],
    [['secret'], (path) => rmSync(path), /another master secret.*restore/],
    [['mailbox.jsonl'], overwritten('{"messageId":"<1@x>"\n'), /mailbox\.jsonl, line 1, .*restore/],
    [['mailbox.jsonl'], overwritten('null\n'), /mailbox\.jsonl, line 1, .*restore/],
    [['database/data/PG_VERSION'], overwritten('13\n'), /database.*version 13.*restore/],
    [['database/data/global/pg_control'], cutShort(100), /pg_control.*restore/],
    [
      ['database/data/postgresql.conf'],
      overwritten('nonsense here\n'),
      /postgresql\.conf.*restore/,
    ],
    [inDatabase(/pg_wal\/0/), cutShort(1_000), /database.*checkpoint.*restore/],
    [inDatabase(/pg_xact\/0/), cutShort(10), /database.*pg_xact.*restore/],
    [inDatabase(/base\/5\/16\d+$/), cutShort(0), /database.*damage.*restore/],
    [inDatabase(/base\/5\/1259$/), overwritten('x'.repeat(8192)), /database.*restore/],
  ]
  const suffer = async (data: string, [names, damage, says]: (typeof damages)[number]) => {
    expect(names.length).toBeGreaterThan(0)
    const intact = names.map((name) => [join(data, name), readFileSync(join(data, name))] as const)
    const before = filesBelow(data)
    for (const [path] of intact) damage(path)
    const refusal = await refused({ data })
    expect(refusal).toMatch(says)
    expect(before.filter((name) => !existsSync(join(data, name)))).toEqual([])
    for (const [path, bytes] of intact) writeFileSync(path, bytes)
  }
  await Promise.all(
    copies.map(async (data, index) => {
      for (const damage of damages.filter((_, at) => at % copies.length === index))
        await suffer(data, damage)
      const shop = await startShop({ data })
      expect(await ordersOf(shop)).toEqual({ confirmed: 3 })
      expect(await mailsOf(shop)).toBe(3)
      expect(await shop.stop()).toMatchObject({ code: 0 })
    }),
  )
}, 120_000)

/** A request whose head the shop has taken, and whose body it waits for. */
const halfARequest = async (
  shop: ShopProcess,
  key: string,
): Promise<{ readonly finish: () => Promise<string>; readonly socket: Socket }> => {
  const bytes = requestBytes(shop.address, {
    method: 'POST',
    path: '/api/v1/orders',
    headers: { ...(await signIn(shop)), 'idempotency-key': key, expect: '100-continue' },
    body: orderOf(sku),
  })
  const end = bytes.indexOf('\r\n\r\n') + 4
  const { hostname, port } = new URL(shop.address)
  const socket = connect({ host: hostname, port: Number(port) })
  let got = ''
  socket.on('data', (chunk: Buffer) => (got += chunk.toString()))
  socket.on('error', () => undefined)
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  socket.write(bytes.subarray(0, end))
  await until('an invitation', () => got.startsWith('HTTP/1.1 100 '))
  const finish = async () => {
    socket.write(bytes.subarray(end))
    await closed
    return got
  }
  return { socket, finish }
}

describe('a shop that runs', () => {
  test('keeps its ports and its data folder to itself, answers what it has begun, and ends', async () => {
    const shop = await startShop({ data: used })
    console.log(`The second start took ${Math.round(await shop.readyInMs)} ms.`)
    const [port, operatorPort] = [shop.address, shop.operator].map(
      (address) => new URL(address).port,
    )
    const refusals = await Promise.all([
      refused({ data: at('other 1'), args: ['--port', port ?? ''] }),
      refused({ data: at('other 2'), args: ['--operator-port', operatorPort ?? ''] }),
      refused({ data: used }),
    ])
    expect(refusals).toEqual([
      expect.stringMatching(new RegExp(`port ${port} .*in use.*another port`)),
      expect.stringMatching(new RegExp(`port ${operatorPort} .*in use.*another port`)),
      expect.stringMatching(/data folder .*used.* in use by process \d+.*another folder/),
    ])

    expect(await ordersOf(shop)).toEqual({ confirmed: 3 })
    const half = await halfARequest(shop, 'under way')
    shop.signal('SIGTERM')
    await until('it is told', () => shop.stderr.includes('stopping'))
    expect(await half.finish()).toMatch(/^HTTP\/1\.1 100 .*HTTP\/1\.1 201 .*connection: close/is)
    expect(await shop.ended).toMatchObject({
      code: 0,
      stderr: '\n  stopping: finishing what is under way (once more ends at once)\n',
    })
  }, 60_000)

  test('ends at once when it is interrupted twice or killed, and starts again with everything', async () => {
    const shop = await startShop({ data: used })
    const half = await halfARequest(shop, 'interrupted')
    shop.signal('SIGINT')
    await until('it is told', () => shop.stderr.includes('stopping'))
    shop.signal('SIGINT')
    expect(await shop.ended).toMatchObject({ code: 130 })
    half.socket.destroy()

    const again = await startShop({ data: used })
    await until('four orders are confirmed', async () => (await ordersOf(again))['confirmed'] === 4)
    await until('four mails', async () => (await mailsOf(again)) === 4)
    again.signal('SIGKILL')
    expect(await again.ended).toMatchObject({ code: null })

    // Nothing of it is left that would keep the next one out.
    const last = await startShop({ data: used })
    expect(await ordersOf(last)).toEqual({ confirmed: 4 })
    expect(await last.stop()).toMatchObject({ code: 0 })
  }, 60_000)
})
