import { expect, test } from 'vitest'
import { failure } from '../base/failure.ts'
import { logger } from '../telemetry/log.ts'
import { manualEnv } from '../testing/index.ts'
import { untilOpen, untilReached } from './patience.ts'

const setting = () => {
  const env = manualEnv()
  const lines: { message: string; stores?: string; error?: { cause?: { message: string } } }[] = []
  const log = logger({ env, write: (line) => lines.push(JSON.parse(line) as never) })
  return { env, log, lines, stores: 'pglite data, shared' }
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

test('stores that are busy are waited for, however long, and all who wait say why in one line', async () => {
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
