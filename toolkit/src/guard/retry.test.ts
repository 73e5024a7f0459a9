import fc from 'fast-check'
import { expect, test } from 'vitest'
import { failure, failures, type FailureCode } from '../base/failure.ts'
import { manualEnv, type ManualEnv } from '../testing/manual-env.ts'
import { retry, type Guarded, type RetryOptions } from './index.ts'

const setting = (options: Partial<RetryOptions> & { random?: () => number } = {}) => {
  const env: ManualEnv = {
    ...manualEnv(),
    ...(options.random === undefined ? {} : { random: options.random }),
  }
  const caller = new AbortController()
  const call: Guarded = {
    target: 'a.b',
    deadline: env.now() + 5_000,
    signal: caller.signal,
    repeatable: true,
  }
  const guard = retry<Guarded, string>({ env, ...options })
  /** Calls, lets all waits pass, and answers with how often was tried and what came out. */
  const tried = async (next: (nth: number) => Promise<string>, made: Guarded = call) => {
    let tries = 0
    const outcome = guard(made, () => next((tries += 1))).then(
      (reply) => ({ reply }),
      (error: unknown) => ({ error }),
    )
    await env.advance(1_000)
    return { tries, ...(await outcome) }
  }
  return { env, caller, call, guard, tried }
}

test('what failed for want of the other side is tried again, three times in all', async () => {
  const { tried, env } = setting()
  expect(
    await tried((nth) =>
      nth < 3 ? Promise.reject(failure('unavailable')) : Promise.resolve('done'),
    ),
  ).toEqual({ tries: 3, reply: 'done' })
  const down = failure('unavailable')
  expect(await tried(() => Promise.reject(down))).toEqual({ tries: 3, error: down })
  expect(env.waiting).toBe(0)
})

test('a call that may have run is tried again only when a second run is harmless', async () => {
  for (const code of Object.keys(failures) as FailureCode[])
    for (const repeatable of [true, false]) {
      const { tried, call } = setting()
      const { retryable, ran } = failures[code]
      const { tries } = await tried(() => Promise.reject(failure(code)), { ...call, repeatable })
      expect(`${code} ${tries}`).toBe(
        `${code} ${retryable && (repeatable || ran === 'not-sent') ? 3 : 1}`,
      )
    }
})

test('what is not ours is not tried again', async () => {
  const { tried } = setting()
  expect((await tried(() => Promise.reject(new TypeError('x')))).tries).toBe(1)
})

test('the waits grow twofold from 25 ms, with full jitter', async () => {
  for (const random of [0, 0.5, 0.999]) {
    const { env, call, guard } = setting({ random: () => random, attempts: 4 })
    const times: number[] = []
    const outcome = guard(call, () => {
      times.push(env.now())
      return Promise.reject(failure('unavailable'))
    })
    const refused = outcome.catch((error: unknown) => error)
    await env.advance(1_000)
    expect(await refused).toMatchObject({ code: 'unavailable' })
    expect(times.slice(1).map((at, index) => at - (times[index] ?? 0))).toEqual(
      [25, 50, 100].map((ms) => expect.closeTo(ms * random, 3)),
    )
  }
})

test('whoever asks to be left alone for a while is, or is not tried again when that is too long', async () => {
  for (const [retryAfterSeconds, times] of [
    [2, [0, 2_000, 4_000]],
    [3, [0, 3_000]],
    [6, [0]],
  ] as const) {
    const { env, call, guard } = setting()
    const begun: number[] = []
    const start = env.now()
    const busy = failure('overloaded', undefined, { data: { retryAfterSeconds } })
    const outcome = guard(call, () => {
      begun.push(env.now() - start)
      return Promise.reject(busy)
    }).catch((error: unknown) => error)
    await env.advance(10_000)
    expect(await outcome).toBe(busy)
    expect(begun).toEqual(times)
  }
})

test('nothing is tried that would begin after the deadline', async () => {
  const { tried, call, env } = setting({ random: () => 0.999 })
  const made = { ...call, deadline: env.now() + 24 }
  expect((await tried(() => Promise.reject(failure('unavailable')), made)).tries).toBe(1)
})

test('a timer that runs late does not make a call begin after the deadline', async () => {
  const { env, call } = setting()
  let late = 0
  const guard = retry<Guarded, string>({ env: { ...env, now: () => env.now() + late } })
  let tries = 0
  const outcome = guard({ ...call, deadline: env.now() + 100 }, () => {
    tries += 1
    return Promise.reject(failure('unavailable'))
  })
  const refused = outcome.catch((error: unknown) => error)
  await env.advance(0)
  late = 1_000
  await env.advance(50)
  expect(await refused).toMatchObject({ code: 'unavailable' })
  expect(tries).toBe(1)
})

test('a caller that gives up during a wait gets the failure, and nothing is tried', async () => {
  const { env, caller, call, guard } = setting({ random: () => 0.5 })
  let tries = 0
  const outcome = guard(call, () => {
    tries += 1
    return Promise.reject(failure('unavailable'))
  })
  const refused = outcome.catch((error: unknown) => error)
  await env.advance(1)
  caller.abort(new Error('closed'))
  expect(await refused).toMatchObject({ code: 'unavailable' })
  expect(tries).toBe(1)
  expect(env.waiting).toBe(0)
})

test('in the long run retries add at most a tenth to the calls, whatever fails', async () => {
  const runs = fc.array(fc.boolean(), { minLength: 200, maxLength: 400 })
  await fc.assert(
    fc.asyncProperty(runs, async (fails) => {
      const { env, call } = setting()
      const guard = retry<Guarded, string>({ env: { ...env, sleep: () => Promise.resolve() } })
      let sent = 0
      for (const down of fails)
        await guard(call, () => {
          sent += 1
          return down ? Promise.reject(failure('unavailable')) : Promise.resolve('x')
        }).catch(() => undefined)
      expect(sent - fails.length).toBeLessThanOrEqual(10 + fails.length / 10)
    }),
    { numRuns: 20 },
  )
})

test('the budget that is saved up is limited', async () => {
  const { env, call } = setting()
  const guard = retry<Guarded, string>({
    env: { ...env, sleep: () => Promise.resolve() },
    budgetMax: 2,
  })
  for (let nth = 0; nth < 100; nth++) await guard(call, () => Promise.resolve('x'))
  let sent = 0
  for (let nth = 0; nth < 5; nth++)
    await guard(call, () => {
      sent += 1
      return Promise.reject(failure('unavailable'))
    }).catch(() => undefined)
  expect(sent).toBe(5 + 2)
})
