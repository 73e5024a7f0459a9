import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemEnv } from '../base/env.ts'
import { failure, ServalError } from '../base/failure.ts'
import { problem } from '../contract/index.ts'
import { z } from 'zod'
import { eventually } from '../testing/eventually.ts'
import { isFeed, type Call, type Caller, type Link, type Reply } from './call.ts'

/** A link to what `served` answers, and how it ends. */
export interface Placed {
  readonly link: Link
  close(): Promise<void>
}

const Full = problem('full', {
  kind: 'conflict',
  title: 'There is no room',
  data: z.object({ room: z.int() }),
})

const env = systemEnv()

export const callTo = (operation: string, more: Partial<Call> = {}): Call => ({
  contract: 'made',
  operation,
  input: {},
  caller: { kind: 'service', name: 'shop' },
  key: undefined,
  deadline: env.now() + 10_000,
  signal: new AbortController().signal,
  trace: { correlationId: 'c-1' },
  strict: false,
  target: `made.${operation}`,
  repeatable: false,
  ...more,
})

/** Each link gives a caller the same: replies, failures, who called, until when. */
export const placementSuite = (name: string, place: (served: Link) => Promise<Placed>): void => {
  let placed: Placed
  let answer: (call: Call) => Promise<Reply> | Reply = () => ({ value: undefined })
  const seen: Call[] = []
  beforeAll(async () => {
    placed = await place({
      call: async (call) => {
        seen.push(call)
        return answer(call)
      },
    })
  })
  afterAll(() => placed.close())
  const ask = (given: (call: Call) => Promise<Reply> | Reply, call = callTo('read')) => {
    answer = given
    return placed.link.call(call)
  }
  const failing = (given: () => never, call = callTo('read')) =>
    ask(given, call).then(
      () => {
        throw new Error('it was answered')
      },
      (error: unknown) => error,
    )
  const items = async (reply: Reply): Promise<unknown[]> => {
    expect(isFeed(reply)).toBe(true)
    const got: unknown[] = []
    if (reply.remembered === undefined)
      for await (const item of reply.value as AsyncIterable<unknown>) got.push(item)
    return got
  }

  test(`${name}: values arrive as they were answered`, async () => {
    const values = [
      undefined,
      null,
      0,
      '',
      'ü🐈\u2028\n"',
      [],
      {},
      { a: [1, -1.5, 1e21, { b: null }], '': true },
      'x'.repeat(300_000),
      Array.from({ length: 5_000 }, (_, n) => ({ n })),
    ]
    for (const value of values) expect(await ask(() => ({ value }))).toEqual({ value })
  })

  test(`${name}: a call says who, what, until when and as part of what`, async () => {
    const callers: readonly Caller[] = [
      { kind: 'anonymous' },
      { kind: 'operator' },
      { kind: 'service', name: 'orders' },
      { kind: 'user', id: 'u-1', roles: ['admin', 'merchant'], session: 's-1' },
    ]
    for (const caller of callers) {
      const call = callTo('$log.read', {
        caller,
        input: { deep: [{ text: 'ü"\n' }] },
        key: 'a key of ünicode 🐈',
        strict: caller.kind === 'user',
        trace: { correlationId: `c-${caller.kind}` },
      })
      await ask(() => ({ value: 1 }), call)
      const { signal: _, deadline, repeatable: __, ...rest } = seen.at(-1) ?? call
      expect(call).toMatchObject(rest)
      expect(Object.keys(rest).sort()).toEqual(
        Object.keys(call)
          .filter((field) => !['signal', 'deadline', 'repeatable'].includes(field))
          .sort(),
      )
      expect(Math.abs(deadline - call.deadline)).toBeLessThan(1_000)
    }
  })

  test(`${name}: a declared problem arrives with its data`, async () => {
    const error = await failing(() => {
      throw Full({ room: 0 }, 'No room for 3')
    })
    expect(error).toBeInstanceOf(ServalError)
    expect((error as ServalError).toJSON()).toEqual(Full({ room: 0 }, 'No room for 3').toJSON())
  })

  test(`${name}: a failure says whether it may have run, and whether to try again`, async () => {
    for (const ran of ['not-sent', 'unknown', 'ran'] as const)
      for (const retryable of [true, false]) {
        const thrown = failure('unavailable', 'later', { ran, retryable })
        const error = await failing(() => {
          throw thrown
        })
        expect(error).toMatchObject({ code: 'unavailable', ran, retryable, message: 'later' })
      }
    expect(
      await failing(() => {
        throw new TypeError('a secret of the inside')
      }).then((error) => (error instanceof ServalError ? error.code : 'as thrown')),
    ).toMatch(/^(internal|as thrown)$/)
  })

  test(`${name}: a call of a nameless operation or contract is answered like any other`, async () => {
    const refuse = () => {
      throw failure('no-such-operation')
    }
    for (const call of [callTo(''), callTo('', { contract: '' })]) {
      const error = await failing(refuse, call)
      expect(error).toMatchObject({ code: 'no-such-operation' })
      const { contract, operation } = seen.at(-1) ?? {}
      expect([contract, operation]).toEqual([call.contract, ''])
    }
    expect(await ask(() => ({ value: 'on' }))).toEqual({ value: 'on' })
  })

  test(`${name}: a remembered reply arrives byte by byte`, async () => {
    const body = new TextEncoder().encode('{"id":"ü", "spaced" : 1}')
    const remembered = { status: 201, contentType: 'application/json', location: '/ü/1', body }
    const reply = await ask(() => ({ remembered }))
    const { status, contentType, location, body: bytes } = reply.remembered ?? {}
    expect({ status, contentType, location }).toEqual({
      status: 201,
      contentType: 'application/json',
      location: '/ü/1',
    })
    expect([...(bytes ?? [])]).toEqual([...body])
    const bare = {
      status: 204,
      contentType: 'text/plain',
      location: undefined,
      body: new Uint8Array(),
    }
    const empty = await ask(() => ({ remembered: bare }))
    expect(empty.remembered?.status).toBe(204)
    expect(empty.remembered?.location).toBe(undefined)
    expect(empty.remembered?.body.length).toBe(0)
  })

  test(`${name}: a feed comes item by item, in order, as long as it lasts`, async () => {
    async function* count(to: number) {
      for (let n = 0; n < to; n++) yield { n, text: 'ü'.repeat(n % 100) }
    }
    const reply = await ask(() => ({ value: count(2_000) }))
    expect(await items(reply)).toEqual(
      Array.from({ length: 2_000 }, (_, n) => ({ n, text: 'ü'.repeat(n % 100) })),
    )
    expect(await items(await ask(() => ({ value: count(0) })))).toEqual([])
  })

  test(`${name}: an item arrives while the feed goes on, and the feed ends when its reader leaves`, async () => {
    let left = false
    async function* one() {
      yield 'first'
      await new Promise(() => undefined)
    }
    async function* endless() {
      try {
        for (let n = 0; ; n++) {
          yield n
          await new Promise((resolve) => setTimeout(resolve, 1))
        }
      } finally {
        left = true
      }
    }
    const reading = (await ask(() => ({ value: one() }))) as { value: AsyncIterable<unknown> }
    const iterator = reading.value[Symbol.asyncIterator]()
    expect(await iterator.next()).toEqual({ done: false, value: 'first' })

    left = false
    const reply = (await ask(() => ({ value: endless() }))) as { value: AsyncIterable<unknown> }
    for await (const n of reply.value) if (n === 3) break
    await eventually(() => left, 'the end of a feed that nobody reads')
  })

  test(`${name}: a feed that fails tells how`, async () => {
    async function* broken() {
      yield 1
      throw Full({ room: 1 })
    }
    const reply = (await ask(() => ({ value: broken() }))) as { value: AsyncIterable<unknown> }
    const got: unknown[] = []
    const error = await (async () => {
      for await (const item of reply.value) got.push(item)
    })().catch((thrown: unknown) => thrown)
    expect(got).toEqual([1])
    expect(error).toMatchObject({ code: 'full', data: { room: 1 } })
  })

  test(`${name}: a caller that gives up is heard on the other side`, async () => {
    const giving = new AbortController()
    let gone = false
    const reply = ask(
      (call) =>
        new Promise<Reply>((_, reject) => {
          call.signal.addEventListener('abort', () => {
            gone = true
            reject(failure('cancelled'))
          })
          giving.abort()
        }),
      callTo('read', { signal: giving.signal }),
    ).catch((error: unknown) => error)
    await eventually(() => gone, 'the abort of the call on the other side')
    expect(await reply).toBeInstanceOf(ServalError)
  })

  test(`${name}: many calls at once do not mix`, async () => {
    answer = async (call) => {
      const { n } = call.input as { n: number }
      await new Promise((resolve) => setTimeout(resolve, (n * 7) % 13))
      if (n % 10 === 3) throw Full({ room: n })
      return { value: { n } }
    }
    const results = await Promise.all(
      Array.from({ length: 500 }, (_, n) =>
        placed.link.call(callTo('read', { input: { n } })).then(
          (reply) => (reply.remembered === undefined ? reply.value : undefined),
          (error: ServalError) => error.data,
        ),
      ),
    )
    expect(results).toEqual(
      Array.from({ length: 500 }, (_, n) => (n % 10 === 3 ? { room: n } : { n })),
    )
  })
}
