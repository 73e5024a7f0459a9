import { expect, test } from 'vitest'
import { failure } from '../base/failure.ts'
import { gate } from '../cache/fixture.suite.ts'
import type { HttpReply } from '../link/http.ts'
import { logger } from '../telemetry/log.ts'
import { manualEnv } from '../testing/manual-env.ts'
import { edge } from './edge.ts'
import { books, cacheUnderTest, NoSuchBook, reply, textOf } from './response-cache.suite.ts'
import { responseCache } from './response-cache.ts'
import { fakeLink, request } from './sample.suite.ts'

const under = (options: Parameters<typeof cacheUnderTest>[0] = {}) => {
  const env = manualEnv()
  return { ...cacheUnderTest({ env, ...options }), env }
}

test('answers what it was told until the contract’s time is over, to the millisecond', async () => {
  const { ask, tell, env, asked } = under()
  expect(await tell('/books/newest')).toBe('1 serval; fwd=uri-miss; stored')
  await env.advance(999)
  const hit = await ask('/books/newest')
  expect(hit).toMatchObject({
    status: 200,
    headers: {
      age: '0',
      'cache-status': 'serval; hit; ttl=0',
      'cache-control': 'max-age=0, must-revalidate',
      'content-type': 'application/json',
      etag: '"1"',
    },
  })
  expect(textOf(hit)).toBe('1')
  await env.advance(1)
  expect(await tell('/books/newest')).toBe('2 serval; fwd=stale; stored')
  expect(asked).toHaveLength(2)
})

test('Age and ttl are told in whole seconds, and a hit has the same body each time', async () => {
  const { ask, env } = under()
  await ask('/books/a')
  const [first, again] = [await ask('/books/a'), await ask('/books/a')]
  expect(again).toBe(first)
  expect([first.headers['age'], first.headers['cache-status']]).toEqual([
    '0',
    'serval; hit; ttl=60',
  ])
  await env.advance(1_999)
  const second = await ask('/books/a')
  expect([second.headers['age'], second.headers['cache-status']]).toEqual([
    '1',
    'serval; hit; ttl=58',
  ])
  expect(second.body).toBe(first.body)
  await env.advance(1)
  expect((await ask('/books/a')).headers['age']).toBe('2')
})

test('an age counts from the beginning of the fill', async () => {
  const slow = gate<HttpReply>()
  const { ask, tell, env, answer } = under({ answer: slow.fill })
  const first = ask('/books/newest')
  await env.advance(600)
  slow.resolve(reply('slow'))
  await first
  await env.advance(399)
  expect(await tell('/books/newest')).toBe('slow serval; hit; ttl=0')
  await env.advance(1)
  answer.is = async () => reply('new')
  expect(await tell('/books/newest')).toBe('new serval; fwd=stale; stored')
})

test('what took longer than it may be kept is answered, not kept', async () => {
  const slow = gate<HttpReply>()
  const { tell, env } = under({ answer: slow.fill })
  const first = tell('/books/newest')
  await env.advance(1_000)
  slow.resolve(reply('slow'))
  expect(await first).toBe('slow serval; fwd=uri-miss')
  expect(await tell('/books/newest')).toBe('slow serval; fwd=uri-miss; stored')
})

test('HEAD and GET share what is kept', async () => {
  const { tell, asked } = under()
  expect(await tell({ method: 'HEAD', target: '/books/a' })).toBe('1 serval; fwd=uri-miss; stored')
  expect(await tell('/books/a')).toBe('1 serval; hit; ttl=60')
  expect(await tell({ method: 'HEAD', target: '/books/a' })).toBe('1 serval; hit; ttl=60')
  expect(asked.map(({ request }) => request.method)).toEqual(['GET'])
})

test('one thing asked for in many ways is kept once', async () => {
  const { ask, asked } = under()
  const ways = ['/books/a-%C3%BC%2F~', '/books/%61-%c3%bc%2f%7e', '/books/a-%C3%BC%2F~?']
  for (const way of ways) await ask(way)
  expect(asked).toHaveLength(1)
  for (const way of ['?q=a+b&limit=5', '?limit=5&q=a%20b', '?&q=%61%20b&limit=5&'])
    await ask(`/books${way}`)
  expect(asked.map(({ request }) => request.target)).toEqual([
    '/books/a-%C3%BC%2F~',
    '/books?limit=5&q=a+b',
  ])
  expect([asked[1]?.path, asked[1]?.query]).toEqual(['/books', 'limit=5&q=a+b'])
})

test('different things are kept apart', async () => {
  const { ask, asked } = under()
  const paths = ['/books/a', '/books/b', '/books/A', '/books/a%2Fb', '/books/a%3Fq=b', '/books/%25']
  const queries = ['', '?q=', '?q=a', '?q=a%26limit=5', '?limit=5', '?q=a&limit=5', '?limit=05']
  const targets = [...paths, ...queries.map((query) => `/books${query}`)]
  for (const target of [...targets, ...targets]) await ask(target)
  expect(asked).toHaveLength(targets.length)
})

test('a parameter with the text of another route’s literal is not that route', async () => {
  const { tell } = under()
  expect(await tell('/books/newest')).toBe('1 serval; fwd=uri-miss; stored')
  expect(await tell('/books/n%65west')).toBe('2 serval; fwd=uri-miss; stored')
  expect(await tell('/books/newest')).toBe('1 serval; hit; ttl=1')
})

test('what will be refused is neither kept nor waited for', async () => {
  const { asked, tell, ask } = under()
  for (const query of ['?x=1', '?q=a&x=1', '?q=a&q=a', '?__proto__=1', '?isbn=1'])
    for (const _ of [1, 2])
      expect((await ask(`/books${query}`)).headers['cache-status']).toBeUndefined()
  expect(asked).toHaveLength(10)
  // Known names, whose values the operation refuses.
  for (const query of ['?limit=101', '?limit=x', '?limit=', '?q=%00'])
    for (const _ of [1, 2]) expect(await tell(`/books${query}`)).not.toContain('stored')
  for (const _ of [1, 2]) expect(await tell('/books/a%00')).not.toContain('stored')
  expect(asked).toHaveLength(20)
})

test('operations without a rule, and what no route was found for, pass', async () => {
  const { ask, asked, cache } = under()
  expect((await ask('/now')).headers['cache-status']).toBeUndefined()
  const { request, path, query, correlationId } = asked[0]!
  const unrouted = { request, path, query, correlationId }
  expect(await cache.stage(unrouted, async () => reply('passed'))).toEqual(reply('passed'))
})

test('a fill cannot depend on who asks: it has no header, no address, and not his signal', async () => {
  const { ask, asked } = under()
  const signal = new AbortController().signal
  const headers = {
    authorization: 'Bearer x',
    cookie: 'a=b',
    'if-none-match': '"1"',
    accept: '*/*',
  }
  await ask({ method: 'HEAD', target: '/books/a?', headers, signal })
  const { request, path, query, parameters, correlationId } = asked[0]!
  expect(Object.keys(headers).map((name) => request.header(name))).toEqual(Array(4).fill(undefined))
  expect([request.remoteAddress, request.method, await request.body()]).toEqual([
    '',
    'GET',
    new Uint8Array(),
  ])
  expect(request.signal).not.toBe(signal)
  expect([path, query, parameters, correlationId]).toEqual(['/books/a', '', { isbn: 'a' }, 'c'])
})

test('a client’s Cache-Control changes nothing', async () => {
  const { ask, tell, asked } = under()
  await ask({ target: '/books/a', headers: { 'cache-control': 'no-store' } })
  for (const said of ['no-cache', 'no-store', 'max-age=0', 'only-if-cached', 'min-fresh=100'])
    expect(
      await tell({ target: '/books/a', headers: { 'cache-control': said, pragma: 'no-cache' } }),
    ).toContain('; hit')
  expect(await tell({ target: '/books/b', headers: { 'cache-control': 'only-if-cached' } })).toBe(
    '2 serval; fwd=uri-miss; stored',
  )
  expect(asked).toHaveLength(2)
})

test('a client that has it already is told so, whether it was kept or is fetched', async () => {
  const { ask } = under()
  const known = (tag: string) => ask({ target: '/books/a', headers: { 'if-none-match': tag } })
  const missed = await known('"1"')
  expect(missed).toMatchObject({
    status: 304,
    headers: { etag: '"1"', 'cache-status': 'serval; fwd=uri-miss; stored' },
  })
  const hit = await known('"0", W/"1"')
  expect(hit).toMatchObject({
    status: 304,
    headers: { etag: '"1"', age: '0', 'cache-status': 'serval; hit; ttl=60' },
  })
  for (const { body, headers } of [missed, hit])
    expect([body, headers['content-type']]).toEqual([undefined, undefined])
  expect((await known('*')).status).toBe(304)
  expect((await known('"2"')).status).toBe(200)
})

test('without an ETag there is no 304', async () => {
  const { ask } = under({ answer: async () => ({ status: 200, headers: {}, body: 'x' }) })
  for (const _ of [1, 2])
    expect((await ask({ target: '/books', headers: { 'if-none-match': '*' } })).status).toBe(200)
})

test('only whole replies for everybody are kept', async () => {
  async function* stream() {
    yield new Uint8Array([65])
  }
  const replies: HttpReply[] = [
    { ...reply('x'), status: 201 },
    { status: 204, headers: {} },
    { status: 200, headers: {} },
    { status: 404, headers: {}, body: 'x' },
    { status: 500, headers: {}, body: 'x' },
    { status: 200, headers: {}, body: stream() },
    reply('x', { 'set-cookie': ['a=b'] }),
    reply('x', { vary: 'accept-language' }),
    reply('x', { 'content-encoding': 'gzip' }),
    reply('x', { 'cache-control': 'no-store' }),
    reply('x', { 'cache-control': 'max-age=60, Private' }),
  ]
  for (const one of replies) {
    const { ask, asked } = under({ answer: async () => one })
    expect([await ask('/books/a'), await ask('/books/a')]).toEqual([one, one])
    expect(asked).toHaveLength(2)
  }
})

test('of requests at the same moment one is made', async () => {
  const slow = gate<HttpReply>()
  const { tell, asked } = under({ answer: slow.fill })
  const all = Promise.all(Array.from({ length: 50 }, () => tell('/books/a')))
  slow.resolve(reply('x'))
  const told = await all
  expect(told[0]).toBe('x serval; fwd=uri-miss; stored')
  expect(new Set(told.slice(1))).toEqual(new Set(['x serval; fwd=uri-miss; collapsed']))
  expect(asked).toHaveLength(1)
})

test('who waits for a reply that is not for everybody asks for his own', async () => {
  const slow = gate<HttpReply>()
  const { ask, asked, answer, env } = under({ answer: slow.fill })
  const all = Promise.all(['1', '2', '3'].map(() => ask('/books/a')))
  await env.advance(0)
  let own = 0
  answer.is = async () => reply(`own ${++own}`, { vary: '*' })
  slow.resolve(reply('first', { vary: '*' }))
  expect((await all).map(textOf).sort()).toEqual(['first', 'own 1', 'own 2'])
  expect(asked).toHaveLength(3)
})

test('a failure goes to all who wait, and is not kept', async () => {
  const slow = gate<HttpReply>()
  const { ask, tell, answer } = under({ answer: slow.fill })
  const all = [1, 2].map(() => ask('/books/a').catch((e: unknown) => e))
  slow.reject(NoSuchBook(undefined))
  for (const one of await Promise.all(all)) expect(one).toMatchObject({ code: 'no-such-book' })
  answer.is = async () => reply('there')
  expect(await tell('/books/a')).toBe('there serval; fwd=uri-miss; stored')
})

test('a client that leaves takes its request along only if nobody else waits for it', async () => {
  const { ask, asked, answer, env } = under({ answer: gate<HttpReply>().fill })
  const clients = [1, 2].map(() => new AbortController())
  const asks = clients.map(({ signal }) => ask({ target: '/books/a', signal }))
  await env.advance(0)
  const fill = asked[0]!.request.signal
  clients[0]?.abort()
  expect(fill.aborted).toBe(false)
  clients[1]?.abort()
  expect(fill.reason).toMatchObject({ code: 'cancelled' })
  answer.is = async () => reply('new')
  expect(textOf(await ask('/books/a'))).toBe('new')
  expect(asks).toHaveLength(2)
})

test('a client that leaves after its reply ends nothing', async () => {
  const { ask, asked } = under()
  const client = new AbortController()
  await ask({ target: '/books/a', signal: client.signal })
  client.abort()
  expect(asked[0]?.request.signal.aborted).toBe(false)
})

test('a client that had left before it was answered leaves nothing behind', async () => {
  const { ask, asked, tell } = under()
  await ask({ target: '/books/a', signal: AbortSignal.abort() })
  expect(asked[0]?.request.signal.aborted).toBe(true)
  expect(await tell('/books/a')).toBe('2 serval; fwd=uri-miss; stored')
})

test('past its time it is answered while it is fetched anew, once, and as long as the contract says', async () => {
  const { tell, env, asked, answer } = under()
  await tell('/books/a')
  await env.advance(60_000)
  const slow = gate<HttpReply>()
  answer.is = slow.fill
  expect([await tell('/books/a'), await tell('/books/a')]).toEqual([
    '1 serval; hit; ttl=0',
    '1 serval; hit; ttl=0',
  ])
  await env.advance(1_500)
  expect(await tell('/books/a')).toBe('1 serval; hit; ttl=-2')
  expect(asked).toHaveLength(2)
  slow.resolve(reply('new'))
  await env.advance(0)
  expect(await tell('/books/a')).toBe('new serval; hit; ttl=58')
})

test('after that time requests wait for what is being fetched', async () => {
  const { tell, env, asked, answer } = under()
  await tell('/books/a')
  await env.advance(69_999)
  const slow = gate<HttpReply>()
  answer.is = slow.fill
  expect(await tell('/books/a')).toBe('1 serval; hit; ttl=-10')
  await env.advance(1)
  const waiting = tell('/books/a')
  slow.resolve(reply('new'))
  expect(await waiting).toBe('new serval; fwd=stale; collapsed')
  expect(asked).toHaveLength(2)
})

test('a refresh that fails is told to the log, and tried again a second later', async () => {
  const { tell, env, asked, answer, logged } = under()
  await tell('/books/a')
  await env.advance(60_000)
  answer.is = async () => {
    throw failure('unavailable')
  }
  await tell('/books/a')
  await env.advance(999)
  expect(await tell('/books/a')).toBe('1 serval; hit; ttl=-1')
  expect(asked).toHaveLength(2)
  expect(logged).toMatchObject([
    { level: 'info', contract: 'books', operation: 'book', error: { code: 'unavailable' } },
  ])
  await env.advance(1)
  await tell('/books/a')
  expect(asked).toHaveLength(3)
})

test('a refresh that is answered otherwise ends what was kept', async () => {
  const gone = async () => {
    throw NoSuchBook(undefined)
  }
  for (const otherwise of [gone, async () => reply('mine', { 'cache-control': 'private' })]) {
    const { tell, env, answer } = under()
    await tell('/books/a')
    await env.advance(60_000)
    answer.is = otherwise
    expect(await tell('/books/a')).toBe('1 serval; hit; ttl=0')
    await env.advance(0)
    answer.is = async () => reply('new')
    expect(await tell('/books/a')).toBe('new serval; fwd=uri-miss; stored')
  }
})

test('who joins a refresh and leaves does not end it', async () => {
  const { ask, env, answer, asked } = under()
  await ask('/books/a')
  await env.advance(60_000)
  answer.is = gate<HttpReply>().fill
  await ask('/books/a')
  await env.advance(10_000)
  const client = new AbortController()
  const joined = ask({ target: '/books/a', signal: client.signal })
  client.abort()
  expect([asked.length, asked[1]?.request.signal.aborted]).toEqual([2, false])
  expect(joined).toBeInstanceOf(Promise)
})

test('a purge drops what bears its tag, filled from the input as its schema reads it', async () => {
  const { tell, cache, ask } = under()
  for (const target of ['/books/a', '/books/b', '/books', '/books?limit=5']) await ask(target)
  cache.drop(['books/book:a', 'other/book:A', 'books/list:5', 'books/newest'])
  expect(await tell('/books/a')).toContain('hit')
  expect(await tell('/books?limit=5')).toContain('uri-miss')
  expect(await tell('/books')).toContain('hit')
  cache.drop(['books/book:A'])
  expect([await tell('/books/a'), await tell('/books/b')]).toEqual([
    '6 serval; fwd=uri-miss; stored',
    '2 serval; hit; ttl=60',
  ])
  cache.drop(['books/books', 'books/list:20'])
  for (const target of ['/books/a', '/books/b', '/books'])
    expect(await tell(target)).toContain('uri-miss')
  cache.drop('all')
  expect(await tell('/books')).toContain('uri-miss')
})

test('a fill that began before a purge answers who waited, and nobody else', async () => {
  for (const tags of [['books/book:A'], 'all'] as const) {
    const [before, after] = [gate<HttpReply>(), gate<HttpReply>()]
    const { tell, cache, answer, env, asked } = under({ answer: before.fill })
    const early = Promise.all([tell('/books/a'), tell('/books/a')])
    await env.advance(0)
    cache.drop(tags)
    answer.is = after.fill
    const late = Promise.all([tell('/books/a'), tell('/books/a')])
    before.resolve(reply('old'))
    expect(await early).toEqual(['old serval; fwd=uri-miss', 'old serval; fwd=uri-miss; collapsed'])
    const later = tell('/books/a')
    after.resolve(reply('new'))
    expect([...(await late), await later]).toEqual([
      'new serval; fwd=uri-miss; stored',
      'new serval; fwd=uri-miss; collapsed',
      'new serval; fwd=uri-miss; collapsed',
    ])
    expect(await tell('/books/a')).toBe('new serval; hit; ttl=60')
    expect(asked).toHaveLength(2)
  }
})

test('a purge at the very moment of a request, before its tags are known, drops it', async () => {
  const { tell, cache } = under()
  const asking = tell('/books/a')
  cache.drop(['books/of another'])
  expect(await asking).toBe('1 serval; fwd=uri-miss')
  expect(await tell('/books/a')).toBe('2 serval; fwd=uri-miss; stored')
})

test('stale-while-revalidate does not outlive a purge, nor does the refresh that began before it', async () => {
  const { tell, cache, answer, env } = under()
  await tell('/books/a')
  await env.advance(60_000)
  const slow = gate<HttpReply>()
  answer.is = slow.fill
  expect(await tell('/books/a')).toBe('1 serval; hit; ttl=0')
  await env.advance(0)
  cache.drop(['books/book:A'])
  slow.resolve(reply('old'))
  await env.advance(0)
  answer.is = async () => reply('new')
  expect(await tell('/books/a')).toBe('new serval; fwd=uri-miss; stored')
})

test('an older fill that ends late takes nothing away from a newer one', async () => {
  const ways: ((old: ReturnType<typeof gate<HttpReply>>) => void)[] = [
    (old) => old.reject(NoSuchBook(undefined)),
    (old) => old.resolve(reply('mine', { 'cache-control': 'private' })),
    (old) => old.resolve(reply('old')),
  ]
  for (const end of ways) {
    const old = gate<HttpReply>()
    const { tell, cache, answer, env } = under({ answer: old.fill })
    const early = tell('/books/a').catch((e: unknown) => e)
    await env.advance(0)
    cache.drop('all')
    answer.is = async () => reply('new')
    await tell('/books/a')
    end(old)
    await early
    expect(await tell('/books/a')).toBe('new serval; hit; ttl=60')
  }
})

test('it is bounded by the number of its entries and by their bytes', async () => {
  const few = under({ maxEntries: 2 })
  for (const target of ['/books/a', '/books/b', '/books/a', '/books/c']) await few.ask(target)
  expect(await few.tell('/books/a')).toContain('hit')
  expect(await few.tell('/books/b')).toContain('uri-miss')
  const small = under({ maxBytes: 50_000, answer: async () => reply('x'.repeat(10_000)) })
  for (const target of ['/books/a', '/books/b', '/books/c']) await small.ask(target)
  expect(await small.tell('/books/c')).toContain('hit')
  expect(await small.tell('/books/a')).toContain('uri-miss')
})

test('the first reply has the bytes that are kept, so that what is made of them is made once', async () => {
  const { ask } = under()
  const first = await ask('/books/a')
  expect(first.body).toBeInstanceOf(Uint8Array)
  expect((await ask('/books/a')).body).toBe(first.body)
})

test('a clock that was set back tells no ages: what is kept is fetched anew', async () => {
  let now = 1_000_000
  const { tell } = cacheUnderTest({ env: { ...manualEnv(), now: () => now } })
  await tell('/books/a')
  now -= 1
  expect(await tell('/books/a')).toBe('2 serval; fwd=stale; stored')
})

test('closed, it ends what nobody waits for', async () => {
  const { ask, env, answer, cache, asked } = under()
  await ask('/books/a')
  await env.advance(60_000)
  answer.is = gate<HttpReply>().fill
  await ask('/books/a')
  const waited = ask('/books/b')
  await env.advance(0)
  cache.close()
  expect(asked.slice(1).map(({ request }) => request.signal.aborted)).toEqual([true, false])
  expect(waited).toBeInstanceOf(Promise)
})

test('in the edge: a hit calls nobody, and failures are told as ever', async () => {
  const env = manualEnv()
  const log = logger({ env, write: () => undefined })
  const cache = responseCache({ env, log })
  const link = fakeLink(books, async ({ operation, input }) => {
    const { isbn } = input as { isbn?: string }
    if (isbn === 'NONE') throw NoSuchBook(undefined)
    return { value: operation === 'list' ? { items: [] } : { isbn } }
  })
  const common = { contracts: [books], serves: () => true, identify: async () => undefined }
  const handle = edge({ env, log, link, ...common, cache: cache.stage })
  const ask = (target: string, method = 'GET') =>
    handle(request({ target, method, headers: { authorization: 'Bearer wrong' } }))

  const first = await ask('/books/a')
  const hit = await ask('/books/%61', 'HEAD')
  expect([first.status, textOf(first), first.headers['etag']]).toEqual([
    200,
    '{"isbn":"A"}',
    hit.headers['etag'],
  ])
  expect(hit.headers).toMatchObject({
    'cache-control': 'max-age=0, must-revalidate',
    'cache-status': 'serval; hit; ttl=60',
  })
  expect(hit.headers['x-request-id']).not.toBe(first.headers['x-request-id'])
  expect(link.calls).toHaveLength(1)
  expect(link.calls[0]?.caller).toEqual({ kind: 'anonymous' })

  for (const [target, status] of [
    ['/books/none', 404],
    ['/books?limit=1000', 400],
    ['/books?unknown=1', 400],
  ] as const)
    for (const _ of [1, 2]) {
      const refused = await ask(target)
      expect([refused.status, refused.headers['cache-control']]).toEqual([status, 'no-store'])
    }
  expect(link.calls).toHaveLength(3)
})
