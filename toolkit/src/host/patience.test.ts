import { expect, test } from 'vitest'
import { failure } from '../base/failure.ts'
import { logger } from '../telemetry/log.ts'
import { manualEnv } from '../testing/index.ts'
import { untilOpen, untilReached } from './patience.ts'

const setting = () => {
  const env = manualEnv()
  const lines: { message: string; stores?: string; error?: { cause?: { message: string } } }[] = []
  const log = logger({ env, write: (line) => lines.push(JSON.parse(line) as never) })
  const over = new AbortController()
  return { env, log, lines, stores: 'pglite data, shared', over, signal: over.signal }
}

/** Fails so often. */
const failing = (times: number) => {
  let left = times
  return async () => {
    left -= 1
    if (left < 0) return 'opened'
    throw failure('store-unavailable', undefined, { cause: new Error('process 7 is busy') })
  }
}

test('stores that are busy are waited for, and all who wait say why in one line', async () => {
  const given = setting()
  const { env, lines, stores } = given
  const patience = untilOpen(given)
  const opening = Promise.all([patience(failing(100)), patience(failing(100))])
  await env.advance(0)
  expect(lines).toMatchObject([
    {
      message: 'waiting for the stores',
      stores,
      error: { cause: { message: 'process 7 is busy' } },
    },
  ])
  await env.advance(100_000)
  expect(await opening).toEqual(['opened', 'opened'])
  expect([lines.length, env.waiting]).toEqual([1, 0])
})

test('so are those that do not answer, and that is said after ten seconds', async () => {
  const given = setting()
  const { env, lines, stores } = given
  const patience = untilOpen(given)
  let answer: (what: string) => void = () => undefined
  const opening = patience(() => new Promise<string>((resolve) => (answer = resolve)))
  await env.advance(9_999)
  expect(lines).toEqual([])
  await env.advance(1)
  expect(lines).toMatchObject([{ message: 'waiting for the stores', stores }])
  answer('opened')
  expect(await opening).toBe('opened')
})

test('whoever waits without an answer is told why when the first one comes', async () => {
  const given = setting()
  const { env, lines } = given
  for (const waiting of [untilOpen, untilReached]) {
    const patience = waiting(given)
    const attempt = failing(1)
    const late = async () => {
      await env.sleep(30_000)
      return attempt()
    }
    const opening = Promise.all([patience(late), patience(failing(0))])
    await env.advance(29_999)
    expect(lines).toMatchObject([{ message: expect.stringContaining('waiting for') }])
    await env.advance(1)
    expect(lines).toMatchObject([{}, { error: { cause: { message: 'process 7 is busy' } } }])
    await env.advance(60_000)
    expect(await opening).toEqual(['opened', 'opened'])
    expect([lines.splice(0).length, env.waiting]).toEqual([2, 0])
  }
})

test('after two minutes a start gives up what fails, and says why; what is under way may take longer', async () => {
  const given = setting()
  const { env } = given
  const patience = untilOpen(given)
  const slow = async () => {
    await env.sleep(300_000)
    return 'migrated'
  }
  const opening = patience(slow)
  let failed: unknown
  void patience(failing(Infinity)).catch((error: unknown) => (failed = error))
  await env.advance(119_999)
  expect(failed).toBeUndefined()
  await env.advance(1_000)
  expect(failed).toMatchObject({
    code: 'cannot-start',
    message: 'pglite data, shared: not usable within 120 s: process 7 is busy',
  })
  await env.advance(180_000)
  expect(await opening).toBe('migrated')
  expect(env.waiting).toBe(0)
})

test('whoever waits is told when nobody needs it any more', async () => {
  const given = setting()
  const { env, over } = given
  const hung = () => Promise.withResolvers<string>().promise
  const waits = [untilOpen, untilReached].flatMap((waiting) => {
    const patience = waiting(given)
    return [patience(failing(Infinity)), patience(hung)]
  })
  const ended = Promise.allSettled(waits)
  await env.advance(5_000)
  over.abort(failure('cannot-start', 'another service refuses'))
  const reason = { code: 'cannot-start', message: 'another service refuses' }
  expect(await ended).toMatchObject(waits.map(() => ({ reason })))
  expect(env.waiting).toBe(0)
})

test('stores that refuse are not asked again', async () => {
  const { env, lines, ...given } = setting()
  const refused = untilOpen({ env, ...given })(() => Promise.reject(failure('cannot-start')))
  expect(await refused.catch((error: unknown) => error)).toMatchObject({ code: 'cannot-start' })
  expect([lines, env.waiting]).toEqual([[], 0])
})

test('another host is waited for in silence at first', async () => {
  const given = setting()
  const { env, lines } = given
  const reaching = untilReached(given)(failing(12))
  await env.advance(5_000)
  expect(lines).toEqual([])
  await env.advance(5_000)
  expect(await reaching).toBe('opened')
  expect(lines).toMatchObject([{ message: 'waiting for another host' }])
})
