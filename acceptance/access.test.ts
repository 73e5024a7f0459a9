import { createHmac, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { accessTable, type Access } from './access-table.ts'
import { operationsOf, type ListedOperation } from './operations.ts'
import { problemOf } from './problem.ts'
import { bearer, send } from './raw-http.ts'
import { killAll, startShop, unexpectedLines } from './shop-process.ts'
import { all, pairs, pathOf } from './shop-under-test.ts'
import { until } from './until.ts'
import { openWorld, type SignedIn, type User } from './world.ts'

/*
 * Who may call what: each operation by each kind of caller, and tokens that are not what they seem. The shop's clock is ours,
 * so that what depends on time needs no waiting.
 */

const folder = mkdtempSync(join(tmpdir(), 'serval-access-'))
afterAll(async () => {
  await killAll()
  rmSync(folder, { recursive: true, force: true })
})

const [shop, elsewhere] = await Promise.all([
  startShop({ data: join(folder, 'shop'), main: 'acceptance/own-clock.ts' }),
  startShop({ data: join(folder, 'elsewhere') }),
])
const { address, operator, operatorKey } = shop
const minuteMs = 60_000

/** Sets the shop's clock, and waits until it is so. */
const setClock = async (aheadMs: number): Promise<void> => {
  shop.tell(String(aheadMs))
  const ahead = async () => {
    const reply = await send(address, {
      method: 'POST',
      path: '/api/v1/auth/login',
      headers: { 'x-serval-operator': operatorKey },
      body: { email: 'customer@shop.test', password: 'serval-demo' },
    })
    const [, payload = ''] = reply.json<SignedIn>().accessToken.split('.')
    const { iat } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { iat: number }
    return iat * 1_000 - Date.now()
  }
  await until(ahead, (found) => Math.abs(found - aheadMs) < minuteMs / 2)
}

await setClock(-30 * minuteMs)
const early = await openWorld(shop)
const expired = early.customer.token
await setClock(0)
const world = await openWorld(shop)
const { ask, customer, merchant } = world
const [other, admin, gone] = [
  await world.register(),
  await world.appointed('admin'),
  await world.register(),
]
await ask('POST /api/v1/auth/logout', { as: gone })
const stranger = (await openWorld(elsewhere)).merchant

const onPublic = await operationsOf(address)
const onOperator = await operationsOf(operator)
const nameOf = ({ method, template }: ListedOperation) => `${method} ${template}`

describe('access', () => {
  test('the table has every operation that is served, and no other', () => {
    expect([...onPublic, ...onOperator].map(nameOf).sort()).toEqual([...accessTable.keys()].sort())
    for (const operation of onPublic)
      expect(accessTable.get(nameOf(operation))).not.toBe('operator')
    for (const operation of onOperator) expect(accessTable.get(nameOf(operation))).toBe('operator')
  })

  test('the documents say of each who may call it', () => {
    const said = (operation: ListedOperation): Access => {
      if (operation.access !== 'bearer') return operation.access
      const [role] = operation.roles
      return role === undefined ? 'user' : (role as Access)
    }
    for (const operation of [...onPublic, ...onOperator])
      expect([nameOf(operation), said(operation)]).toEqual([
        nameOf(operation),
        accessTable.get(nameOf(operation)),
      ])
  })

  const key = { 'x-serval-operator': operatorKey }
  type Kind = 'nobody' | 'user' | 'merchant' | 'admin' | 'operator' | 'stranger'
  const callers: Readonly<Record<string, readonly [Kind, Record<string, string>]>> = {
    anonymous: ['nobody', {}],
    customer: ['user', bearer(customer.token)],
    'another customer': ['user', bearer(other.token)],
    merchant: ['merchant', bearer(merchant.token)],
    admin: ['admin', bearer(admin.token)],
    'operator key': ['operator', key],
    'an expired token': ['stranger', bearer(expired)],
    'a token of an ended session': ['stranger', bearer(gone.token)],
    'a garbage token': ['stranger', bearer('garbage')],
    'a refresh token': ['stranger', bearer(customer.refreshToken)],
    'a token of another shop': ['stranger', bearer(stranger.token)],
  }
  /** 400: it is let in, and its input, which no operation takes, refused. */
  const expected = (access: Access, kind: Kind, side: 'public' | 'operator'): number => {
    if (access === 'public') return 400
    if (side === 'operator') return kind === 'operator' ? 400 : 401
    if (kind === 'nobody' || kind === 'stranger' || kind === 'operator') return 401
    return access === 'user' || access === kind ? 400 : 403
  }
  const statusOf = async (
    operation: ListedOperation,
    headers: Record<string, string>,
    at: string,
  ): Promise<number> => {
    const path = pathOf(operation)
    const inUrl = operation.method === 'GET' || operation.method === 'DELETE'
    const reply = await send(at, {
      method: operation.method,
      path: inUrl ? `${path.split('?')[0]}?surprise=1` : path,
      headers: { 'idempotency-key': 'access', ...headers },
      ...(inUrl ? {} : { body: { surprise: 1 } }),
    })
    if (reply.status === 401) expect(reply.headers['www-authenticate']).toBeDefined()
    problemOf(reply, reply.status)
    return reply.status
  }

  test('each operation lets in whom the table says, and nobody else', async () => {
    const cells = [
      ...pairs(onPublic, Object.entries(callers)).map((cell) => ['public', ...cell] as const),
      ...pairs(onOperator, Object.entries(callers)).map((cell) => ['operator', ...cell] as const),
    ]
    const wrong: string[] = []
    await all(cells, async ([side, operation, [name, [kind, headers]]]) => {
      const access = accessTable.get(nameOf(operation)) ?? 'operator'
      // It lifts the limits of how much may be sent, and opens nothing on the public address.
      const sent = side === 'public' ? { ...key, ...headers } : headers
      const status = await statusOf(operation, sent, side === 'public' ? address : operator)
      const right = expected(access, kind, side)
      if (status !== right) wrong.push(`${nameOf(operation)} by ${name}: ${status}, not ${right}`)
    })
    expect(cells.length).toBe((onPublic.length + onOperator.length) * 11)
    expect(wrong).toEqual([])
  })

  test('what is another’s is not there, whatever one’s role', async () => {
    const sku = await world.product({ onHand: 5 })
    const placed = await world.place(customer, [{ sku, quantity: 1 }])
    const { id } = placed.json<{ id: string }>()
    await world.settled(customer, id)
    const { items } = (await ask('GET /api/v1/auth/sessions', { as: customer })).json<{
      items: { id: string }[]
    }>()
    const session = items[0]?.id ?? ''
    const theirs = [
      `GET /api/v1/orders/${id}`,
      `POST /api/v1/orders/${id}/cancel`,
      `GET /api/v1/orders/${id}/events`,
      `DELETE /api/v1/auth/sessions/${session}`,
    ]
    await all(pairs(theirs, [other, merchant, admin]), async ([request, as]) =>
      problemOf(await ask(request, { as }), 404),
    )
    for (const path of ['orders', 'notifications', 'auth/sessions'])
      await all([other, merchant, admin], async (as: User) => {
        const reply = await ask(`GET /api/v1/${path}?limit=100`, { as })
        expect([reply.status, reply.text.includes(id), reply.text.includes(session)]).toEqual([
          200,
          false,
          false,
        ])
      })
    expect((await ask(`GET /api/v1/orders/${id}`, { as: customer })).status).toBe(200)
  })
})

describe('an access token', () => {
  const [header = '', payload = '', signature = ''] = admin.token.split('.')
  const encoded = (value: unknown) =>
    Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')
  const decoded = (part: string) =>
    JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>
  const head = decoded(header)
  const claims = decoded(payload)
  const unsigned = (change: object, body = payload) => `${encoded({ ...head, ...change })}.${body}`
  const ed25519 = generateKeyPairSync('ed25519')
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 })
  const signedBy = (key: KeyObject, hash: string | null, change: object, body = payload) => {
    const text = unsigned(change, body)
    const dsaEncoding = 'ieee-p1363' as const
    return `${text}.${sign(hash, Buffer.from(text), { key, dsaEncoding }).toString('base64url')}`
  }
  const own = (change: object, body = payload) => signedBy(ed25519.privateKey, null, change, body)
  const hmac = (alg: string, secret: string | Buffer) => {
    const text = unsigned({ alg })
    const hash = `sha${alg.slice(2)}`
    return `${text}.${createHmac(hash, secret).update(text).digest('base64url')}`
  }

  const forged = async (): Promise<Readonly<Record<string, string>>> => {
    const { keys } = (await ask('GET /.well-known/jwks.json')).json<{
      keys: { x: string; kid: string }[]
    }>()
    const [published] = keys
    const raw = Buffer.from(published?.x ?? '', 'base64url')
    const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), raw])
    const pem = `-----BEGIN PUBLIC KEY-----\n${spki.toString('base64')}\n-----END PUBLIC KEY-----\n`
    const jwk = ed25519.publicKey.export({ format: 'jwk' })
    const kids = [
      '../../../../dev/null',
      "' or '1'='1",
      'x'.repeat(4_000),
      'unknown',
      '',
      null,
      1,
      [published?.kid],
      '__proto__',
      'constructor',
    ]
    return {
      'alg none': `${unsigned({ alg: 'none' })}.`,
      'alg None': `${unsigned({ alg: 'None' })}.`,
      'alg nOnE with a signature': `${unsigned({ alg: 'nOnE' })}.${signature}`,
      'no alg': `${unsigned({ alg: undefined })}.${signature}`,
      'an empty signature': `${header}.${payload}.`,
      'two parts': `${header}.${payload}`,
      'four parts': `${admin.token}.${signature}`,
      'five parts': `${admin.token}..`,
      'HS256 with the key’s text': hmac('HS256', published?.x ?? ''),
      'HS256 with the key’s bytes': hmac('HS256', raw),
      'HS256 with the key’s PEM': hmac('HS256', pem),
      'HS384 with the key’s SPKI': hmac('HS384', spki),
      'HS512 with the key’s JWK': hmac('HS512', JSON.stringify(published)),
      'HS256 with nothing': hmac('HS256', ''),
      'ES256 by another key': signedBy(ec.privateKey, 'sha256', { alg: 'ES256' }),
      'RS256 by another key': signedBy(rsa.privateKey, 'sha256', { alg: 'RS256' }),
      'EdDSA by another key': own({}),
      'another key’s own kid': own({ kid: jwk.x }),
      'an embedded key': own({ jwk, kid: undefined }),
      'an embedded key under our kid': own({ jwk }),
      'a key elsewhere': own({ jku: `${elsewhere.address}/.well-known/jwks.json` }),
      'a certificate elsewhere': own({ x5u: 'https://example.org/key.pem' }),
      'an embedded certificate': own({ x5c: [spki.toString('base64')] }),
      'a critical header': own({ crit: ['exp'] }),
      'our signature under another header': `${unsigned({ typ: 'JWT' })}.${payload}.${signature}`,
      ...Object.fromEntries(kids.map((kid, at) => [`kid ${at}`, own({ kid })])),
      ...Object.fromEntries(
        [
          { roles: ['admin', 'merchant'] },
          { sub: customer.id },
          { exp: 4_102_444_800 },
          { nbf: 0 },
          { sid: 'x' },
        ].map((change, at) => [
          `other claims ${at}`,
          `${header}.${encoded({ ...claims, ...change })}.${signature}`,
        ]),
      ),
      'claims twice': `${header}.${encoded(JSON.stringify(claims).replace('{', '{"exp":4102444800,'))}.${signature}`,
      'a cut signature': admin.token.slice(0, -2),
      'a changed signature': `${header}.${payload}.${signature.slice(0, -6)}AAAAAA`,
      padded: `${admin.token}=`,
      'padded parts': `${header}=.${payload}=.${signature}=`,
      'a refresh token': customer.refreshToken,
      'of another shop': stranger.token,
      expired,
      'of an ended session': gone.token,
    }
  }

  test('that is forged, changed, misused or over is refused, like any other', async () => {
    const tokens = Object.entries(await forged())
    const doors = ['GET /api/v1/users/me', 'GET /api/v1/admin/orders', 'POST /api/v1/orders']
    await all(pairs(tokens, doors), async ([[, token], request]) => {
      const reply = await ask(request, { as: token, headers: { 'idempotency-key': 'k' } })
      const { detail } = problemOf(reply, 401, 'unauthenticated')
      expect([reply.headers['www-authenticate'], detail]).toEqual([
        'Bearer',
        'The access token is not valid',
      ])
    })
    expect((await ask('GET /api/v1/users/me', { as: admin })).status).toBe(200)
  })

  test('is never refused because keys are rotated', async () => {
    const user = await world.signIn(customer.email, customer.password)
    const kidOf = (token: string) => decoded(token.split('.')[0] ?? '')['kid']
    const uses = new Map<unknown, number>()
    const statuses = new Set<number>()
    const me = async (token: string) => {
      statuses.add((await ask('GET /api/v1/users/me', { as: token })).status)
      uses.set(kidOf(token), (uses.get(kidOf(token)) ?? 0) + 1)
    }
    let rotating = true
    const worker = async () => {
      let { refreshToken } = await world.register()
      for (; rotating;) {
        await me(user.token)
        const reply = await ask('POST /api/v1/auth/refresh', { body: { refreshToken } })
        const next = reply.json<SignedIn>()
        refreshToken = next.refreshToken
        await me(next.accessToken)
      }
    }
    const workers = Promise.all(Array.from({ length: 4 }, worker))
    /** Tokens of so many keys were in use for a while. */
    const used = async (keys: number) =>
      expect(
        await until(
          () => Promise.resolve([...uses.values()].filter((times) => times >= 10).length),
          (found) => found >= keys,
        ),
      ).toBe(keys)
    await used(1)
    for (let round = 1; round <= 3; round++) {
      expect((await world.operate('POST /operator/v1/signing-keys/rotate')).status).toBe(200)
      // Half a minute later the new key signs.
      shop.tell(String(round * 40_000))
      await used(round + 1)
    }
    rotating = false
    await workers
    expect([...statuses]).toEqual([200])
  })

  test('is good from now on, for ten minutes, and its refresh token for a lost reply for ten seconds', async () => {
    await setClock(60 * minuteMs)
    const future = await world.signIn(customer.email, customer.password)
    const traded = await ask('POST /api/v1/auth/refresh', {
      body: { refreshToken: future.refreshToken },
    })
    expect((await ask('GET /api/v1/users/me', { as: future })).status).toBe(200)
    await setClock(61 * minuteMs)
    problemOf(
      await ask('POST /api/v1/auth/refresh', { body: { refreshToken: future.refreshToken } }),
      401,
      'refresh-refused',
    )
    expect(traded.status).toBe(200)
    await setClock(3 * minuteMs)
    problemOf(await ask('GET /api/v1/users/me', { as: future }), 401, 'unauthenticated')
    const now = await world.signIn(customer.email, customer.password)
    expect((await ask('GET /api/v1/users/me', { as: now })).status).toBe(200)
    await setClock(12 * minuteMs)
    expect((await ask('GET /api/v1/users/me', { as: now })).status).toBe(200)
    await setClock(14 * minuteMs)
    problemOf(await ask('GET /api/v1/users/me', { as: now }), 401, 'unauthenticated')
  })

  test('nothing of it is in the log', () => {
    // When the clock jumps, a job that is under way is late, and another run of it takes its place.
    expect(unexpectedLines(shop.stderr, /a refresh token was used again|"Superseded"/)).toEqual([])
  })
})
