import fc from 'fast-check'
import { expect, test } from 'vitest'
import { failure } from '../base/failure.ts'
import { manualEnv } from '../testing/manual-env.ts'
import { breaker, compose, deadline, type Guarded } from './index.ts'

const options = { minimumCalls: 4, failedShare: 0.5, windowMs: 100, openMs: 10 }

const setting = () => {
  const env = manualEnv()
  const guard = breaker<Guarded, string>({ env, ...options })
  const caller = new AbortController()
  const call: Guarded = {
    target: 'a.b',
    deadline: env.now() + 5_000,
    signal: caller.signal,
    repeatable: true,
  }
  /** Makes a call that is ended by hand. */
  const begin = (signal = caller.signal) => {
    let end!: (error?: Error) => void
    const reply = guard(
      { ...call, signal },
      () =>
        new Promise(
          (resolve, reject) =>
            (end = (error) => (error === undefined ? resolve('reply') : reject(error))),
        ),
    ).catch((error: unknown) => error)
    return { reply, end: (error?: Error) => (end(error), reply) }
  }
  const answer = () => guard(call, () => Promise.resolve('reply')).catch((error: unknown) => error)
  const fail = (
    code: 'unavailable' | 'deadline-exceeded' | 'cancelled' | 'conflict' = 'unavailable',
  ) => guard(call, () => Promise.reject(failure(code))).catch((error: unknown) => error)
  const open = async () => {
    for (let nth = 0; nth < 4; nth++) await fail()
    expect(guard.state().state).toBe('open')
  }
  return { env, guard, caller, call, begin, answer, fail, open }
}

test('it opens when half of a window’s calls failed, and refuses without sending', async () => {
  const { guard, answer, fail } = setting()
  await answer()
  await answer()
  await fail()
  expect(guard.state().state).toBe('closed')
  await fail('deadline-exceeded')
  expect(guard.state().state).toBe('open')
  expect(await answer()).toMatchObject({
    code: 'breaker-open',
    ran: 'not-sent',
    message: expect.stringContaining('a.b'),
  })
})

test('declared problems and callers that gave up are no failures', async () => {
  const { guard, fail } = setting()
  for (let nth = 0; nth < 20; nth++) await fail(nth % 2 === 0 ? 'conflict' : 'cancelled')
  expect(guard.state()).toMatchObject({ state: 'closed', calls: 10, failed: 0 })
})

test('failures of an older window do not count', async () => {
  const { env, guard, fail } = setting()
  for (let nth = 0; nth < 3; nth++) await fail()
  await env.advance(101)
  await fail()
  expect(guard.state()).toMatchObject({ state: 'closed', calls: 1, failed: 1 })
})

test('half-open lets one call through; its answer closes, its failure opens again', async () => {
  const { env, guard, begin, answer, open } = setting()
  await open()
  await env.advance(9)
  expect(await answer()).toMatchObject({ code: 'breaker-open' })
  await env.advance(1)
  const first = begin()
  expect(guard.state().state).toBe('half-open')
  expect(await answer()).toMatchObject({ code: 'breaker-open' })
  await first.end(failure('unavailable'))
  expect(guard.state()).toMatchObject({ state: 'open', until: env.now() + 10 })
  await env.advance(10)
  expect(await begin().end()).toBe('reply')
  expect(guard.state()).toMatchObject({ state: 'closed', failed: 0 })
})

test('a probe whose caller gives up says nothing: the next call is the probe', async () => {
  const { env, guard, begin, open } = setting()
  await open()
  await env.advance(10)
  await begin().end(failure('cancelled'))
  const probe = begin()
  expect(guard.state().state).toBe('half-open')
  await probe.end()
  expect(guard.state().state).toBe('closed')
})

test('calls that began before it opened neither close it, nor open it, nor let a second probe through', async () => {
  const { env, guard, begin, open } = setting()
  const old = [begin(), begin(), begin(), begin()]
  await open()
  await old[0]?.end()
  expect(guard.state().state).toBe('open')
  await env.advance(10)
  const probe = begin()
  for (const [index, error] of [
    undefined,
    failure('unavailable'),
    failure('cancelled'),
  ].entries()) {
    await old[index + 1]?.end(error)
    expect(guard.state().state).toBe('half-open')
    expect(await begin().reply).toMatchObject({ code: 'breaker-open' })
  }
  await probe.end()
  expect(guard.state().state).toBe('closed')
})

test('what hangs counts as a failure when its deadline passes, and a probe that hangs does not block for ever', async () => {
  const { env, guard, call, answer } = setting()
  const never = () => new Promise<string>(() => undefined)
  const guarded = compose<Guarded, string>([deadline(env), guard], never)
  const hang = async () => {
    const hanging = guarded({ ...call, deadline: env.now() + 5 }).catch((error: unknown) => error)
    await env.advance(5)
    expect(await hanging).toMatchObject({
      code: 'deadline-exceeded',
    })
  }
  for (let nth = 0; nth < 4; nth++) await hang()
  expect(guard.state().state).toBe('open')
  await env.advance(10)
  await hang()
  expect(guard.state().state).toBe('open')
  await env.advance(10)
  expect(await answer()).toBe('reply')
  expect(guard.state().state).toBe('closed')
})

test('a hanging probe whose caller gives up leaves the place to the next', async () => {
  const { env, guard, caller, call, open } = setting()
  await open()
  await env.advance(10)
  const guarded = compose<Guarded, string>(
    [deadline(env), guard],
    () => new Promise<string>(() => undefined),
  )
  const hanging = guarded(call).catch((error: unknown) => error)
  expect(guard.state().state).toBe('half-open')
  caller.abort()
  expect(await hanging).toMatchObject({ code: 'cancelled' })
  expect(guard.state()).toMatchObject({ state: 'open', until: env.now() })
})

/** What the breaker should be, for calls one after the other, in the plainest words. */
const model = () => {
  let window: { since: number; outcomes: boolean[] } = { since: 0, outcomes: [] }
  let openUntil: number | undefined
  return {
    lets: (now: number) => openUntil === undefined || now >= openUntil,
    heard: (now: number, outcome: 'answered' | 'failed' | 'cancelled') => {
      if (openUntil !== undefined) {
        if (outcome === 'answered') {
          window = { since: now, outcomes: [] }
          openUntil = undefined
        } else openUntil = outcome === 'failed' ? now + options.openMs : now
        return
      }
      if (outcome === 'cancelled') return
      if (now - window.since > options.windowMs) window = { since: now, outcomes: [] }
      window.outcomes.push(outcome === 'failed')
      const failed = window.outcomes.filter(Boolean).length
      if (
        outcome === 'failed' &&
        window.outcomes.length >= options.minimumCalls &&
        failed >= window.outcomes.length * options.failedShare
      )
        openUntil = now + options.openMs
    },
  }
}

test('it behaves as the model does, for any sequence of outcomes and pauses', async () => {
  const step = fc.record({
    pause: fc.constantFrom(0, 0, 0, 1, 5, 10, 60),
    outcome: fc.constantFrom('answered', 'failed', 'failed', 'cancelled'),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      let now = 0
      const env = { ...manualEnv(), now: () => now }
      const guard = breaker<Guarded, string>({ env, ...options })
      const { signal } = new AbortController()
      const should = model()
      for (const { pause, outcome } of steps) {
        now += pause
        let sent = false
        await guard({ target: 'a.b', deadline: Infinity, signal, repeatable: true }, () => {
          sent = true
          if (outcome === 'answered') return Promise.resolve('x')
          return Promise.reject(failure(outcome === 'failed' ? 'unavailable' : 'cancelled'))
        }).catch(() => undefined)
        expect(sent).toBe(should.lets(now))
        if (sent) should.heard(now, outcome as 'answered' | 'failed' | 'cancelled')
      }
    }),
    { numRuns: 300 },
  )
})

test('a probe that hangs does not keep others from trying for longer than the breaker was open', async () => {
  const { env, guard, begin, answer, open } = setting()
  await open()
  await env.advance(10)
  const hanging = begin()
  expect(await answer()).toMatchObject({ code: 'breaker-open' })
  await env.advance(10)
  expect(await answer()).toBe('reply')
  expect(guard.state().state).toBe('closed')
  await hanging.end()
})
