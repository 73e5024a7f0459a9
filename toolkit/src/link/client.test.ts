import { expect, test } from 'vitest'
import { z } from 'zod'
import { failure } from '../base/failure.ts'
import { command, contract, feed, query } from '../contract/index.ts'
import { manualEnv } from '../testing/manual-env.ts'
import { valueOf, type Call, type Reply } from './call.ts'
import { clientOf, guardedLink, type CallContext } from './client.ts'
import { localLink } from './local.ts'

const any = {
  summary: 'x',
  access: 'internal',
  input: z.object({ a: z.int().optional() }),
  output: z.json(),
} as const
const made = contract('made', {
  operations: {
    read: query(any),
    patient: query({ ...any, deadline: '1m' }),
    pay: command({ ...any, repeat: 'key' }),
    book: command({ ...any, repeat: 'natural' }),
    mail: command({ ...any, repeat: 'never' }),
    watch: feed(any),
  },
})

const setting = (
  answer: (call: Call) => Promise<Reply> = () => Promise.resolve({ value: 'ok' }),
  more: Partial<CallContext> = {},
) => {
  const env = manualEnv()
  const calls: Call[] = []
  const link = { call: (call: Call) => (calls.push(call), answer(call)) }
  const context: CallContext = {
    env,
    caller: { kind: 'service', name: 'shop' },
    deadline: Number.MAX_SAFE_INTEGER,
    signal: new AbortController().signal,
    trace: { correlationId: 'c' },
    mayCall: () => undefined,
    ...more,
  }
  return {
    env,
    calls,
    link,
    context,
    client: clientOf(made, link, context),
    guarded: clientOf(made, guardedLink(link, env), context),
  }
}

test('a call says who, what, until when and as part of what', async () => {
  const { env, calls, client } = setting()
  expect(await client.read({ a: 1 })).toBe('ok')
  expect(calls[0]).toMatchObject({
    contract: 'made',
    operation: 'read',
    target: 'made.read',
    input: { a: 1 },
    caller: { kind: 'service', name: 'shop' },
    deadline: env.now() + 5_000,
    trace: { correlationId: 'c' },
    strict: false,
    key: undefined,
  })
})

test('a wait is the operation’s own or the one that is given, never beyond the context’s', async () => {
  const { env, calls, client, context, link } = setting()
  await client.patient({})
  await client.patient({}, { deadlineMs: 10 })
  const hurried = clientOf(made, link, { ...context, deadline: env.now() + 100 })
  await hurried.patient({})
  await hurried.patient({}, { deadlineMs: 10 })
  await hurried.patient({}, { deadlineMs: Infinity })
  expect(calls.map((call) => call.deadline - env.now())).toEqual([60_000, 10, 100, 10, 100])
})

test('a call is repeatable when a second run is harmless', async () => {
  const { calls, client } = setting()
  await client.read({})
  await client.book({})
  await client.mail({}, { key: 'k' })
  await client.pay({})
  await client.pay({}, { key: 'k' })
  expect(calls.map(({ operation, repeatable }) => `${operation} ${repeatable}`)).toEqual([
    'read true',
    'book true',
    'mail false',
    'pay false',
    'pay true',
  ])
})

test('either signal gives the call up', async () => {
  const context = new AbortController()
  const own = new AbortController()
  const { calls, client } = setting(undefined, { signal: context.signal })
  await client.read({}, { signal: own.signal })
  await client.read({})
  own.abort()
  expect(calls.map((call) => call.signal.aborted)).toEqual([true, false])
  context.abort()
  expect(calls.map((call) => call.signal.aborted)).toEqual([true, true])
})

test('where calling is not allowed nothing is called', async () => {
  const { calls, client } = setting(undefined, {
    mayCall: () => {
      throw failure('call-in-step')
    },
  })
  await expect(client.read({})).rejects.toMatchObject({ code: 'call-in-step' })
  const reading = client.watch({})[Symbol.asyncIterator]()
  await expect(reading.next()).rejects.toMatchObject({ code: 'call-in-step' })
  expect(calls).toHaveLength(0)
})

test('a remembered reply reads as its value', () => {
  const remembered = {
    scope: '',
    key: '',
    inputHash: '',
    status: 200,
    contentType: '',
    location: undefined,
    expiresAt: 0,
  }
  expect(
    valueOf({ remembered: { ...remembered, body: new TextEncoder().encode('{"a":"ü"}') } }),
  ).toEqual({ a: 'ü' })
  expect(valueOf({ remembered: { ...remembered, body: new Uint8Array() } })).toBeUndefined()
})

test('a feed is read item by item; one that nobody reads calls nobody, and fails nowhere', async () => {
  async function* items() {
    yield 1
    yield 2
  }
  const good = setting(() => Promise.resolve({ value: items() }))
  const got: unknown[] = []
  for await (const item of good.client.watch({})) got.push(item)
  expect(got).toEqual([1, 2])

  const unhandled: unknown[] = []
  const hear = (reason: unknown) => void unhandled.push(reason)
  process.on('unhandledRejection', hear)
  const bad = setting(() => Promise.reject(failure('unavailable')))
  bad.client.watch({})
  await bad.env.advance(0)
  await bad.env.advance(0)
  process.off('unhandledRejection', hear)
  expect(unhandled).toEqual([])
  expect(bad.calls).toHaveLength(0)
  await expect(bad.client.watch({})[Symbol.asyncIterator]().next()).rejects.toMatchObject({
    code: 'unavailable',
  })
})

test('the usual guards: retry within the deadline, and no timer stays', async () => {
  let nth = 0
  const { env, calls, guarded } = setting(() =>
    (nth += 1) < 3 ? Promise.reject(failure('unavailable')) : Promise.resolve({ value: 'ok' }),
  )
  const reply = guarded.read({})
  await env.advance(1_000)
  expect(await reply).toBe('ok')
  expect(calls).toHaveLength(3)
  expect(env.waiting).toBe(0)
})

test('the usual guards: what hangs ends at the deadline, opens the breaker, and closes it when it answers again', async () => {
  let hangs = true
  const { env, calls, guarded } = setting(() =>
    hangs ? new Promise<Reply>(() => undefined) : Promise.resolve({ value: 'ok' }),
  )
  const codes: string[] = []
  for (let nth = 0; nth < 25; nth++) {
    const call = guarded
      .mail({}, { deadlineMs: 10 })
      .catch((error: { code: string }) => codes.push(error.code))
    await env.advance(10)
    await call
  }
  expect(codes.slice(0, 20)).toEqual(Array(20).fill('deadline-exceeded'))
  expect(codes.slice(20)).toEqual(Array(5).fill('breaker-open'))
  expect(calls).toHaveLength(20)
  hangs = false
  await env.advance(1_000)
  expect(await guarded.mail({})).toBe('ok')
  expect(env.waiting).toBe(0)
})

test('a local link answers from the process, or says that nobody is there', async () => {
  const { context } = setting()
  const link = localLink((name) =>
    name === 'made' ? (call) => Promise.resolve({ value: call.operation }) : undefined,
  )
  expect(await clientOf(made, link, context).read({})).toBe('read')
  const other = contract('other', { operations: { read: query(any) } })
  await expect(clientOf(other, link, context).read({})).rejects.toMatchObject({
    code: 'unavailable',
    ran: 'not-sent',
    message: 'other.read: no service of this contract runs in this process',
  })
})
