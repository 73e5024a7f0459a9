import { expect, test } from 'vitest'
import { z } from 'zod'
import { asFailure } from '../base/failure.ts'
import { command, contract, get, post, query } from '../contract/index.ts'
import { compose } from '../guard/index.ts'
import type { HttpReply } from '../link/http.ts'
import { manualEnv } from '../testing/manual-env.ts'
import type { Stage } from './edge.ts'
import { failureReply } from './problems.ts'
import { rateLimit, type RateLimitOptions } from './rate-limit.ts'
import { routesOf } from './router.ts'
import { request } from './sample.suite.ts'

const Any = z.object({})
const made = contract('limited', {
  operations: {
    free: query({
      summary: 'Free',
      access: 'public',
      http: get('/free'),
      input: Any,
      output: Any,
    }),
    login: command({
      summary: 'Signs in',
      access: 'public',
      repeat: 'never',
      http: post('/login'),
      input: Any,
      output: Any,
      limit: { requests: 2, per: '1m', by: 'address' },
    }),
    mine: query({
      summary: 'Mine',
      access: 'user',
      http: get('/mine'),
      input: Any,
      output: Any,
      limit: { requests: 3, per: '30s', by: 'caller' },
    }),
    open: query({
      summary: 'By caller, for anyone',
      access: 'public',
      http: get('/open'),
      input: Any,
      output: Any,
      limit: { requests: 1, per: '1s', by: 'caller' },
    }),
  },
})
const routes = routesOf([made], () => true)

interface Asked {
  readonly path: string
  readonly from?: string
  readonly user?: string
  readonly headers?: Record<string, string>
}

/** The stages around the limiter's, as the edge has them. */
const limited = (options: Omit<RateLimitOptions, 'env'>) => {
  const env = manualEnv()
  const { report, byAddress, byCaller } = rateLimit({ env, ...options })
  const answerFailures: Stage = (exchange, next) =>
    next(exchange).catch((error: unknown) =>
      failureReply(asFailure(error), { instance: exchange.path, correlationId: 'c' }),
    )
  const findRoute: Stage = (exchange, next) => {
    const route = routes.find(({ http }) => http.path === exchange.path)
    return route === undefined
      ? Promise.resolve({ status: 404, headers: {} })
      : next({ ...exchange, route, parameters: {} })
  }
  const authenticate: Stage = (exchange, next) => {
    const id = exchange.request.header('user')
    const isPublic = exchange.route?.operation.access === 'public'
    return next({
      ...exchange,
      caller:
        id === undefined || isPublic
          ? { kind: 'anonymous' }
          : { kind: 'user', id, roles: [], session: 's' },
    })
  }
  const ok = (): Promise<HttpReply> => Promise.resolve({ status: 200, headers: { a: 'b' } })
  const run = compose([report, answerFailures, findRoute, byAddress, authenticate, byCaller], ok)
  const ask = ({ path, from = '192.0.2.1', user, headers = {} }: Asked) => {
    const sent = request({ target: path, headers: { ...headers, ...(user && { user }) } })
    return run({
      request: { ...sent, remoteAddress: from },
      path,
      query: '',
      correlationId: 'c',
    })
  }
  const statuses = async (many: number, asked: Asked) => {
    const seen: number[] = []
    for (let count = 0; count < many; count++) seen.push((await ask(asked)).status)
    return seen
  }
  return { env, ask, statuses }
}

test('an address that asks too often is refused until there is room again', async () => {
  const { env, ask, statuses } = limited({ policies: { address: { requests: 3, perMs: 6_000 } } })
  expect(await statuses(5, { path: '/free' })).toEqual([200, 200, 200, 429, 429])
  expect(await statuses(1, { path: '/free', from: '192.0.2.2' })).toEqual([200])
  const refused = await ask({ path: '/free' })
  expect(refused.headers).toMatchObject({
    'content-type': 'application/problem+json',
    'retry-after': '2',
    ratelimit: '"address";r=0;t=2',
    'ratelimit-policy': '"address";q=3;w=6',
  })
  expect(JSON.parse(refused.body as string)).toMatchObject({
    status: 429,
    code: 'rate-limited',
    'violated-policies': ['address'],
    retryAfterSeconds: 2,
  })
  await env.advance(1_999)
  expect(await statuses(1, { path: '/free' })).toEqual([429])
  await env.advance(1)
  expect(await statuses(2, { path: '/free' })).toEqual([200, 429])
})

test('replies say what is left of each limit that applies', async () => {
  const { env, ask } = limited({ policies: { address: { requests: 100, perMs: 60_000 } } })
  expect((await ask({ path: '/free' })).headers).toEqual({
    a: 'b',
    'ratelimit-policy': '"address";q=100;w=60',
    ratelimit: '"address";r=99;t=1',
  })
  expect((await ask({ path: '/login' })).headers).toMatchObject({
    'ratelimit-policy': '"address";q=100;w=60, "limited.login";q=2;w=60',
    ratelimit: '"address";r=98;t=1, "limited.login";r=1;t=30',
  })
  await env.advance(29_001)
  await ask({ path: '/login' })
  // Told of a refusal are the limits that refused; the others were not counted.
  const refused = await ask({ path: '/login' })
  expect(refused.headers).toMatchObject({
    ratelimit: '"limited.login";r=0;t=1',
    'retry-after': '1',
  })
  expect((await ask({ path: '/free' })).headers['ratelimit']).toBe('"address";r=98;t=1')
})

test('a user is limited wherever the calls come from, and users apart from each other', async () => {
  const { statuses, ask } = limited({ policies: { caller: { requests: 50, perMs: 60_000 } } })
  expect(await statuses(2, { path: '/mine', user: 'ann', from: '192.0.2.1' })).toEqual([200, 200])
  expect(await statuses(2, { path: '/mine', user: 'ann', from: '192.0.2.2' })).toEqual([200, 429])
  expect(await statuses(1, { path: '/mine', user: 'bob', from: '192.0.2.2' })).toEqual([200])
  expect((await ask({ path: '/mine', user: 'bob' })).headers).toMatchObject({
    'ratelimit-policy': '"caller";q=50;w=60, "limited.mine";q=3;w=30',
  })
  // Somebody's id may look like an address.
  expect(await statuses(1, { path: '/mine', user: '192.0.2.1' })).toEqual([200])
})

test('those who are not signed in are counted by their address where users are by theirs', async () => {
  const { statuses } = limited({ policies: {} })
  expect(await statuses(2, { path: '/open', from: '192.0.2.1' })).toEqual([200, 429])
  expect(await statuses(1, { path: '/open', from: '192.0.2.2' })).toEqual([200])
})

test('without a limit nothing is said of limits', async () => {
  const { ask } = limited({ policies: {} })
  expect((await ask({ path: '/free' })).headers).toEqual({ a: 'b' })
  const { ask: ask2, statuses } = limited({
    policies: { address: { requests: 1, perMs: 1_000 } },
  })
  expect((await ask2({ path: '/nowhere' })).headers).toEqual({})
  expect(await statuses(2, { path: '/nowhere' })).toEqual([404, 404])
})

test('an IPv6 client is its whole network, and headers of strangers count for nothing', async () => {
  const { statuses } = limited({
    policies: { address: { requests: 1, perMs: 60_000 } },
    trustedProxies: ['10.0.0.0/8'],
  })
  expect(await statuses(1, { path: '/free', from: '2001:db8::1' })).toEqual([200])
  expect(await statuses(1, { path: '/free', from: '2001:db8::ffff:2' })).toEqual([429])
  expect(await statuses(1, { path: '/free', from: '2001:db8:0:1::1' })).toEqual([200])
  const forwarded = (address: string) => ({ 'x-forwarded-for': address })
  const through = (from: string, address: string) =>
    statuses(1, { path: '/free', from, headers: forwarded(address) })
  expect(await through('192.0.2.9', '203.0.113.1')).toEqual([200])
  expect(await through('192.0.2.9', '203.0.113.2')).toEqual([429])
  expect(await through('10.0.0.1', '203.0.113.1')).toEqual([200])
  expect(await through('10.0.0.2', 'forged, 203.0.113.1')).toEqual([429])
})

test('who is exempt is not counted', async () => {
  const { ask, statuses } = limited({
    policies: { address: { requests: 2, perMs: 60_000 } },
    lifted: (sent) => sent.header('x-serval-operator') === 'right',
  })
  const key = (value: string) => ({ path: '/free', headers: { 'x-serval-operator': value } })
  expect(await statuses(5, key('right'))).toEqual([200, 200, 200, 200, 200])
  expect((await ask(key('right'))).headers).toEqual({ a: 'b' })
  expect(await statuses(3, key('wrong'))).toEqual([200, 200, 429])
  expect(await statuses(1, key('right'))).toEqual([200])
})

test('a quota that is none fails at start', () => {
  for (const [requests, perMs] of [
    [0, 1_000],
    [1.5, 1_000],
    [1, 0],
    [1, NaN],
    [1, 0.5],
  ] as const)
    expect(() =>
      rateLimit({ env: manualEnv(), policies: { address: { requests, perMs } } }),
    ).toThrow(/rate limit address/)
})

test('a window of less than a second is not told in seconds', async () => {
  const { ask } = limited({ policies: { address: { requests: 5, perMs: 500 } } })
  expect((await ask({ path: '/free' })).headers['ratelimit-policy']).toBe('"address";q=5')
})
