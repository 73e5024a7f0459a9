import { expect, test } from 'vitest'
import { failure, failures, type FailureCode } from '../base/failure.ts'
import { HttpRefusal } from '../link/http.ts'
import { refusalReply, statusOf } from './problems.ts'
import { Away, Closed, edgeUnderTest, pointersOf, request, Slow, TooLarge } from './sample.suite.ts'

const thing = JSON.stringify({ sku: 'A', name: 'a', size: 1, tags: [] })
const signedIn = { authorization: 'Bearer customer', 'idempotency-key': 'k' }
const failing = (error: unknown) => edgeUnderTest({ reply: () => Promise.reject(error as Error) })

test('a request reaches its operation, and the answer is JSON', async () => {
  const { ask, calls, env } = edgeUnderTest()
  const reply = await ask({ target: '/things/A%2FB%20C', headers: { 'x-request-id': 'mine' } })
  expect(reply).toMatchObject({
    status: 200,
    json: { got: { sku: 'A/B C' } },
    headers: { 'content-type': 'application/json', 'x-content-type-options': 'nosniff' },
  })
  expect(calls[0]).toMatchObject({
    contract: 'sample',
    operation: 'read',
    caller: { kind: 'anonymous' },
    key: undefined,
    strict: true,
    deadline: env.now() + 5_000,
    trace: { correlationId: 'mine' },
    target: 'sample.read',
    repeatable: true,
  })
})

test('a path that nobody has is 404, also one with a name of Object.prototype', async () => {
  const { ask } = edgeUnderTest({
    pages: { '/docs': () => Promise.resolve({ status: 200, headers: {} }) },
  })
  const paths = [
    ...[
      '/',
      '',
      '*',
      '//',
      '/thing',
      '/things/',
      '/things//',
      '/THINGS',
      '/things/a/b/c/d',
      '/hidden',
      '/docs/',
      '/things;a=1',
    ],
    ...[
      '/__proto__',
      '/constructor',
      '/toString',
      '/hasOwnProperty',
      '/things/a/__proto__',
      '/constructor/prototype',
    ],
  ]
  for (const target of paths) {
    const reply = await ask({ target })
    expect(`${target} ${reply.status}`).toBe(`${target} 404`)
    expect(reply.json).toMatchObject({
      code: 'no-such-path',
      type: 'urn:serval:problem:no-such-path',
      status: 404,
      instance: target,
    })
  }
  expect((await ask({ target: '/things/__proto__' })).json).toEqual({ got: { sku: '__proto__' } })
})

test('a broken percent-encoding in a path is 404, never more', async () => {
  const { ask } = edgeUnderTest()
  for (const broken of ['%', '%2', '%zz', '%ff', '%c0%80', '%ed%a0%80', 'a%'])
    expect((await ask({ target: `/things/${broken}` })).status).toBe(404)
  expect((await ask({ target: '/things/%00' })).status).toBe(400)
  expect((await ask({ target: '/things/%C3%BC' })).status).toBe(400)
  expect((await ask({ target: '/things/%252F' })).json).toEqual({ got: { sku: '%2F' } })
})

test('a method that the address does not take is 405, with the ones that it takes', async () => {
  const { ask } = edgeUnderTest({
    pages: { '/docs': () => Promise.resolve({ status: 200, headers: {}, body: 'page' }) },
  })
  const allowed = async (method: string, target: string) => {
    const reply = await ask({ method, target })
    expect(reply).toMatchObject({ status: 405, json: { code: 'method-not-allowed' } })
    return reply.headers['allow']
  }
  expect(await allowed('PUT', '/things')).toBe('GET, HEAD, POST')
  expect(await allowed('POST', '/things/a')).toBe('DELETE, GET, HEAD, PATCH')
  expect(await allowed('GET', '/things/a/cancel')).toBe('POST')
  expect(await allowed('HEAD', '/search')).toBe('POST')
  expect(await allowed('POST', '/docs')).toBe('GET, HEAD')
  for (const method of ['OPTIONS', 'TRACE', 'get', 'PROPFIND', '__proto__'])
    expect(await allowed(method, '/things')).toBe('GET, HEAD, POST')
})

test('HEAD goes where GET goes, with its status and headers', async () => {
  const { ask } = edgeUnderTest({
    pages: {
      '/docs': () => Promise.resolve({ status: 200, headers: { 'content-type': 'text/html' } }),
    },
  })
  for (const target of ['/things', '/things/a', '/docs', '/things/%00']) {
    const headers = { 'x-request-id': 'same' }
    const [get, head] = [
      await ask({ target, headers }),
      await ask({ method: 'HEAD', target, headers }),
    ]
    expect({ status: head.status, headers: head.headers }).toEqual({
      status: get.status,
      headers: get.headers,
    })
  }
})

test('a literal segment wins over a parameter', async () => {
  const { ask, calls } = edgeUnderTest()
  await ask({ target: '/things/special' })
  await ask({ target: '/things/speciaL' })
  expect(calls.map((call) => call.operation)).toEqual(['special', 'read'])
})

test('a client that does not take JSON gets 406', async () => {
  const { ask } = edgeUnderTest()
  const status = async (accept: string) =>
    (await ask({ target: '/things/a', headers: { accept } })).status
  for (const good of [
    '',
    'application/json',
    'Application/JSON;q=0.1',
    '*/*',
    'application/*',
    'text/html, */*;q=0.1',
    '*/*;q=0, application/json',
  ])
    expect(`${good} ${await status(good)}`).toBe(`${good} 200`)
  for (const bad of [
    'text/html',
    'application/problem+json',
    'application/json;q=0',
    'application/json;q=0.000, */*',
    'application/*;q=0, */*;q=1',
    '*/*;q=0',
    'application/jsonx',
    ';',
    ',',
  ])
    expect(`${bad} ${await status(bad)}`).toBe(`${bad} 406`)
})

test('the request id of a client is kept if it is a good one; otherwise the edge makes one', async () => {
  const { ask, calls } = edgeUnderTest()
  expect(
    (await ask({ target: '/things', headers: { 'x-request-id': 'a.B_9-' } })).headers[
      'x-request-id'
    ],
  ).toBe('a.B_9-')
  for (const bad of ['', 'a b', 'a, b', 'x'.repeat(65), 'a\r\nx: y']) {
    const reply = await ask({ target: '/nowhere', headers: { 'x-request-id': bad } })
    expect(reply.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/)
    expect(reply.json).toMatchObject({ correlationId: reply.headers['x-request-id'] })
  }
  expect(calls[0]?.trace.correlationId).toBe('a.B_9-')
})

test('an operation for users needs a good token; a public one heeds none', async () => {
  const { ask, calls } = edgeUnderTest()
  const post = (headers: Record<string, string>) =>
    ask({
      method: 'POST',
      target: '/things',
      body: thing,
      headers: { 'idempotency-key': 'k', ...headers },
    })
  for (const authorization of [
    '(none)',
    '',
    'Bearer',
    'Bearer ',
    'Bearer stolen',
    'Basic Y3VzdG9tZXI=',
    'Bearer customer, Bearer merchant',
    'customer',
  ])
    expect(await post({ authorization })).toMatchObject({
      status: 401,
      headers: { 'www-authenticate': expect.stringContaining('Bearer') },
      json: { code: 'unauthenticated', status: 401 },
    })
  expect(calls).toHaveLength(0)
  expect((await post({ authorization: 'bearer customer' })).status).toBe(201)
  expect(calls[0]?.caller).toMatchObject({ kind: 'user', id: 'customer' })
  expect(
    (await ask({ target: '/things', headers: { authorization: 'Bearer stolen' } })).status,
  ).toBe(200)
  expect(calls[1]?.caller).toEqual({ kind: 'anonymous' })
})

test('a role that the caller lacks is 403', async () => {
  const { ask } = edgeUnderTest()
  const change = (token: string) =>
    ask({
      method: 'PATCH',
      target: '/things/a',
      body: '{}',
      headers: { authorization: `Bearer ${token}` },
    })
  expect(await change('customer')).toMatchObject({ status: 403, json: { code: 'forbidden' } })
  expect((await change('merchant')).status).toBe(200)
})

test('a command under a key needs it, in printable ASCII', async () => {
  const { ask, calls } = edgeUnderTest()
  const post = (key: string) =>
    ask({
      method: 'POST',
      target: '/things',
      body: thing,
      headers: { authorization: 'Bearer customer', 'idempotency-key': key },
    })
  for (const missing of ['(none)', ''])
    expect(await post(missing)).toMatchObject({
      status: 400,
      json: { code: 'idempotency-key-missing' },
    })
  for (const odd of ['ü', 'a\tb', '\u0000', 'x'.repeat(256), '😀'])
    expect(await post(odd)).toMatchObject({ status: 400, json: { code: 'invalid-input' } })
  for (const good of ['k', '"quoted"', 'x'.repeat(255), '__proto__', "' or 1=1 --", '%00'])
    expect((await post(good)).status).toBe(201)
  expect(calls.map((call) => call.key)).toEqual([
    'k',
    '"quoted"',
    'x'.repeat(255),
    '__proto__',
    "' or 1=1 --",
    '%00',
  ])
  expect(calls.every((call) => call.repeatable)).toBe(true)
  await ask({ target: '/things', headers: { 'idempotency-key': 'heeded by commands only' } })
  expect(calls.at(-1)?.key).toBeUndefined()
})

test('declared problems are documents with their code, status and members', async () => {
  const post = async (error: unknown) =>
    failing(error).ask({
      method: 'POST',
      target: '/things?',
      body: thing,
      headers: { ...signedIn, 'x-request-id': 'r' },
    })
  expect(await post(Closed({ opensAt: '09:00' }, 'It opens at nine'))).toEqual(
    expect.objectContaining({
      status: 409,
      headers: {
        'content-type': 'application/problem+json',
        'cache-control': 'no-store',
        'x-request-id': 'r',
        'x-content-type-options': 'nosniff',
      },
      json: {
        type: 'urn:serval:problem:closed',
        title: 'The shop is closed',
        status: 409,
        detail: 'It opens at nine',
        instance: '/things',
        code: 'closed',
        correlationId: 'r',
        opensAt: '09:00',
      },
    }),
  )
  expect((await post(TooLarge(undefined))).status).toBe(422)
  expect(await post(Away(undefined, 'The bank sleeps'))).toMatchObject({
    status: 503,
    headers: { 'retry-after': '1' },
    json: { code: 'acquirer-away', detail: 'The bank sleeps' },
  })
  // A problem's own member may not pose as one of the document's.
  expect((await post(Closed({ opensAt: 'x', status: 'forged' }))).json).toMatchObject({
    status: 409,
    opensAt: 'x',
  })
})

test('Retry-After is whole seconds, whatever the problem says', async () => {
  const after = async (retryAfterSeconds: unknown) =>
    (
      await failing(Slow({ retryAfterSeconds } as { retryAfterSeconds: number })).ask({
        method: 'POST',
        target: '/things',
        body: thing,
        headers: signedIn,
      })
    ).headers['retry-after']
  expect(
    await Promise.all([7, 0, 2.1, NaN, -1, Infinity, 'soon', undefined, null].map(after)),
  ).toEqual(['7', '0', '3', '1', '1', '1', '1', '1', '1'])
})

test('what is unexpected is 500 with nothing from inside, and is logged under its correlation id', async () => {
  const secrets = [
    new Error('password=hunter2 at 10.0.0.3'),
    failure('invalid-output', 'sample.read: hunter2'),
    'hunter2',
    undefined,
    null,
    { hunter2: 1 },
    10n,
  ]
  for (const thrown of secrets) {
    const { ask, logged } = failing(thrown)
    const reply = await ask({ target: '/things/a', headers: { 'x-request-id': 'find-me' } })
    expect(reply).toMatchObject({
      status: 500,
      json: {
        type: 'urn:serval:problem:internal',
        title: 'Something unexpected went wrong',
        status: 500,
        instance: '/things/a',
        code: 'internal',
        correlationId: 'find-me',
      },
    })
    expect(reply.text).not.toMatch(/hunter2|10\.0\.0\.3|stack|sample/)
    expect(logged).toEqual([
      expect.objectContaining({ level: 'error', correlationId: 'find-me', path: '/things/a' }),
    ])
    if (thrown instanceof Error) expect(JSON.stringify(logged[0])).toContain('hunter2')
  }
})

test('what cannot be reached is not told to clients by name or address, and is told to the log', async () => {
  for (const code of Object.keys(failures) as FailureCode[]) {
    if (!['unavailable', 'deadline'].includes(failures[code].kind)) continue
    const { ask, logged } = failing(
      failure(code, 'inventory at 10.0.0.3 is away', { data: { host: '10.0.0.3' } }),
    )
    const reply = await ask({ target: '/things/a' })
    expect(reply).toMatchObject({
      status: statusOf[failures[code].kind],
      json: { code, title: failures[code].title },
    })
    expect(reply.text).not.toMatch(/inventory|10\.0\.0/)
    expect(JSON.stringify(logged)).toContain('inventory at 10.0.0.3')
  }
})

test('a problem whose data JSON cannot hold is 500, not a failure of the edge', async () => {
  const circle: Record<string, unknown> = {}
  circle['self'] = circle
  for (const data of [{ opensAt: 10n }, circle]) {
    const { ask, logged } = failing(Closed(data as never))
    expect(await ask({ target: '/things/a' })).toMatchObject({
      status: 500,
      json: { code: 'internal' },
    })
    expect(logged[0]).toMatchObject({ level: 'error', code: 'closed' })
  }
  const { ask } = edgeUnderTest({ reply: () => Promise.resolve({ value: { got: 10n } }) })
  expect((await ask({ target: '/things/a' })).status).toBe(500)
})

test('a body that HTTP refuses has that status', async () => {
  const { ask, logged } = edgeUnderTest()
  for (const status of [400, 408, 413]) {
    const reply = await ask({
      method: 'POST',
      target: '/search',
      body: () => Promise.reject(new HttpRefusal(status, 'It is so')),
    })
    expect(reply).toMatchObject({ status, json: { status, detail: 'It is so' } })
  }
  expect(logged).toEqual([])
  expect(
    (
      await ask({
        method: 'POST',
        target: '/search',
        body: () => Promise.reject(new Error('disk')),
      })
    ).status,
  ).toBe(500)
})

test('a page answers at its path, and its failure is a problem too', async () => {
  const { ask } = edgeUnderTest({
    pages: {
      '/docs': () =>
        Promise.resolve({
          status: 200,
          headers: { 'content-type': 'text/html' },
          body: '<p>',
        }).then((reply) => reply),
      '/broken': () => Promise.reject(new Error('hunter2')),
      '/broken-at-once': () => {
        throw new Error('hunter2')
      },
    },
  })
  const page = await edgeUnderTest({
    pages: { '/docs': () => Promise.resolve({ status: 200, headers: {}, body: '<p>' }) },
  }).handle(request({ target: '/docs?x=1' }))
  expect(page).toMatchObject({
    status: 200,
    body: '<p>',
    headers: { 'x-content-type-options': 'nosniff' },
  })
  for (const target of ['/broken', '/broken-at-once'])
    expect((await ask({ target })).status).toBe(500)
})

test('the caller’s signal goes on to the service', async () => {
  const client = new AbortController()
  const { ask, calls } = edgeUnderTest()
  await ask({ target: '/things', signal: client.signal })
  expect(calls[0]?.signal).toBe(client.signal)
})

test('a key that was used with another input is 422', async () => {
  const reply = await failing(failure('idempotency-key-reused')).ask({
    method: 'POST',
    target: '/things',
    body: thing,
    headers: signedIn,
  })
  expect(reply).toMatchObject({ status: 422, json: { code: 'idempotency-key-reused' } })
  expect(pointersOf(reply)).toBeUndefined()
})

test('a server’s own refusal is a problem document', () => {
  const reply = refusalReply(431, { correlationId: 'r' })
  expect(reply).toMatchObject({
    status: 431,
    headers: { 'content-type': 'application/problem+json' },
  })
  expect(JSON.parse(reply.body as string)).toEqual({
    type: 'urn:serval:problem:headers-too-large',
    title: 'The headers are too large',
    status: 431,
    code: 'headers-too-large',
    correlationId: 'r',
  })
  expect(refusalReply(418, { correlationId: 'r' }).status).toBe(418)
})
