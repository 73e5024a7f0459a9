import { expect, test } from 'vitest'
import { manualEnv } from '../testing/manual-env.ts'
import { deadline, type Guarded } from './index.ts'

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
  const signals: AbortSignal[] = []
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
  let downstream: AbortSignal | undefined
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
  let downstream: AbortSignal | undefined
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
