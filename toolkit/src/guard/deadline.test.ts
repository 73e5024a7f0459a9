import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ServalError } from '../base/failure.ts'
import { manualEnv } from '../testing/manual-env.ts'
import { deadline, type Guarded, type Signal } from './index.ts'

const setting = (leftMs = 100) => {
  const env = manualEnv()
  const caller = new AbortController()
  const call: Guarded = {
    target: 'a.b',
    deadline: env.now() + leftMs,
    signal: caller.signal,
    repeatable: true,
  }
  return { env, caller, call, guard: deadline<Guarded, string>(env) }
}
const never = () => new Promise<string>(() => undefined)

test('an answer in time is the answer, and the timer goes', async () => {
  const { env, caller, call, guard } = setting()
  const signals: Signal[] = []
  const reply = await guard(call, (passed) => {
    signals.push(passed.signal)
    expect(env.waiting).toBe(1)
    return Promise.resolve('reply')
  })
  expect(reply).toBe('reply')
  expect(env.waiting).toBe(0)
  caller.abort()
  expect(signals[0]?.aborted).toBe(false)
})

test('a failure passes as it is, and the timer goes', async () => {
  const { env, call, guard } = setting()
  const failed = new Error('away')
  await expect(guard(call, () => Promise.reject(failed))).rejects.toBe(failed)
  await expect(
    guard(call, () => {
      throw failed
    }),
  ).rejects.toBe(failed)
  expect(env.waiting).toBe(0)
})

test('when the time is up the caller is told at once, and the work behind is told to stop', async () => {
  const { env, call, guard } = setting(100)
  let downstream: Signal | undefined
  const calling = guard(call, (passed) => {
    downstream = passed.signal
    return never()
  })
  const refused = calling.catch((error: unknown) => error)
  await env.advance(99)
  expect(downstream?.aborted).toBe(false)
  await env.advance(1)
  expect(await refused).toMatchObject({
    code: 'deadline-exceeded',
    ran: 'unknown',
    message: 'a.b: no answer within 100 ms',
  })
  expect(downstream?.reason).toMatchObject({ code: 'deadline-exceeded' })
  expect(env.waiting).toBe(0)
})

test('a caller that gives up is told so, and the work behind is told to stop', async () => {
  const { env, caller, call, guard } = setting()
  let downstream: Signal | undefined
  const calling = guard(call, (passed) => {
    downstream = passed.signal
    return never()
  })
  caller.abort(new Error('closed'))
  await expect(calling).rejects.toMatchObject({ code: 'cancelled', ran: 'unknown' })
  expect(downstream?.reason).toMatchObject({ code: 'cancelled' })
  expect(env.waiting).toBe(0)
})

test('with no time left, or no caller left, nothing is sent', async () => {
  for (const left of [0, -1, -Infinity]) {
    const { env, call, guard } = setting(left)
    await expect(guard(call, () => expect.unreachable())).rejects.toMatchObject({
      code: 'deadline-exceeded',
      ran: 'not-sent',
    })
    expect(env.waiting).toBe(0)
  }
  const { env, caller, call, guard } = setting()
  caller.abort()
  await expect(guard(call, () => expect.unreachable())).rejects.toMatchObject({
    code: 'cancelled',
    ran: 'not-sent',
  })
  expect(env.waiting).toBe(0)
})

test('what the work says after it was given up is heard by nobody', async () => {
  const { env, call, guard } = setting(10)
  let fail: ((error: Error) => void) | undefined
  const calling = guard(call, () => new Promise((_, reject) => (fail = reject)))
  const refused = calling.catch((error: unknown) => error)
  await env.advance(10)
  expect(await refused).toMatchObject({ code: 'deadline-exceeded' })
  fail?.(new Error('late'))
  await env.advance(0)
})

test('however many calls wait, each ends at its own time, and they share a timer', async () => {
  const plan = fc.record({
    startMs: fc.nat(8),
    leftMs: fc.integer({ min: 1, max: 10 }),
    answerMs: fc.option(fc.nat(12), { nil: undefined }),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(plan, { maxLength: 12 }), async (plans) => {
      const env = manualEnv()
      // The plan of starts and answers is not the timer that is counted.
      const planned = manualEnv()
      const begun = env.now()
      const { signal } = new AbortController()
      const guard = deadline<Guarded, string>(env)
      const ends: Promise<void>[] = []
      plans.forEach(({ startMs, leftMs, answerMs }, index) =>
        planned.after(startMs, () => {
          const at = env.now()
          const answered = answerMs !== undefined && answerMs < leftMs
          const call = { target: 'a.b', deadline: at + leftMs, signal, repeatable: true }
          const next = () =>
            new Promise<string>((resolve) => {
              if (answerMs !== undefined) planned.after(answerMs, () => resolve('reply'))
            })
          const end = guard(call, next)
            .catch((error: unknown) => (error instanceof ServalError ? error.code : error))
            .then((outcome) =>
              expect([index, outcome, env.now() - at]).toEqual([
                index,
                answered ? 'reply' : 'deadline-exceeded',
                answered ? answerMs : leftMs,
              ]),
            )
          ends.push(end)
        }),
      )
      for (let ms = 0; ms <= 20; ms++) {
        await env.advance(begun + ms - env.now())
        await planned.advance(begun + ms - planned.now())
        expect(env.waiting).toBeLessThanOrEqual(1)
      }
      await Promise.all(ends)
      expect([ends.length, env.waiting]).toEqual([plans.length, 0])
    }),
    { numRuns: 20 },
  )
})

test('a clock that is set back keeps no call waiting for longer', async () => {
  for (const noticed of [true, false]) {
    const env = manualEnv()
    let back = 0
    const guard = deadline<Guarded, string>({ ...env, now: () => env.now() - back })
    const { signal } = new AbortController()
    const call = (leftMs: number) =>
      guard(
        { target: 'a.b', deadline: env.now() - back + leftMs, signal, repeatable: true },
        never,
      ).catch(() => ends.push(leftMs))
    const ends: number[] = []
    const calls = [call(100), call(200)]
    back = 3_600_000
    if (noticed) calls.push(call(50))
    await env.advance(50)
    expect(ends).toEqual(noticed ? [50] : [])
    await env.advance(50)
    expect(ends).toEqual(noticed ? [50, 100] : [100])
    await env.advance(100)
    expect(ends).toEqual(noticed ? [50, 100, 200] : [100, 200])
    await Promise.all(calls)
    expect(env.waiting).toBe(0)
  }
})
