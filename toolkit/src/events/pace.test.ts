import { expect, test } from 'vitest'
import type { Env } from '../base/env.ts'
import { failure } from '../base/failure.ts'
import { logger } from '../telemetry/log.ts'
import { manualEnv } from '../testing/manual-env.ts'
import { pace } from './pace.ts'

const setting = (clock: (env: Env) => Env = (env) => env) => {
  const env = manualEnv()
  const lines: unknown[] = []
  const made = pace({
    env: clock(env),
    log: logger({ env, write: (line) => lines.push(JSON.parse(line)) }),
  })
  const admitted = (type = 'a') =>
    Array.from({ length: 100 }, () => made.admits(type)).filter(Boolean).length
  const unavailable = (times: number, type = 'a') => {
    for (let n = 0; n < times; n++) made.ended(type, failure('unavailable'))
  }
  return { env, lines, made, admitted, unavailable }
}
const all = [{ types: { except: [] }, limit: 32 }]
const except = { types: { except: ['a'] }, limit: 32 }

test('where eight in a row found a service unavailable, four new and four held ones are tried each second', async () => {
  const { env, made, admitted, unavailable } = setting()
  unavailable(7)
  expect(admitted()).toBe(100)
  unavailable(1)
  expect(admitted()).toBe(0)
  expect(made.retries().shares).toEqual([except])
  for (let second = 0; second < 3; second++) {
    await env.advance(1_000)
    expect(admitted()).toBe(4)
    expect(admitted('b')).toBe(100)
    expect(made.retries().shares).toEqual([{ types: { only: 'a' }, limit: 4 }, except])
    for (let n = 0; n < 4; n++) made.retrying('a', 1)
    expect(made.retries().shares).toEqual([except])
    unavailable(4)
    for (let n = 0; n < 4; n++) made.retrying('a', -1)
  }
})

test('one that succeeds lets new ones go on, and of the held ones twice as many each time', async () => {
  const { made, admitted, unavailable } = setting()
  unavailable(8)
  for (const limit of [8, 16]) {
    made.ended('a', undefined)
    expect(admitted()).toBe(100)
    expect(made.retries().shares).toEqual([{ types: { only: 'a' }, limit }, except])
  }
  made.ended('a', undefined)
  expect(made.retries().shares).toEqual(all)
})

test('a failure of its own is an answer too, and so is a success between', () => {
  const { admitted, unavailable, made } = setting()
  for (const answer of [undefined, new Error('its own')]) {
    unavailable(7)
    made.ended('a', answer)
  }
  unavailable(7)
  expect(admitted()).toBe(100)
})

test('held ones are tried again by the dozen, not one by one', () => {
  const { made } = setting()
  for (let n = 0; n < 32; n++) made.retrying('a', 1)
  const limits = Array.from({ length: 32 }, () => {
    made.retrying('a', -1)
    return made.retries().shares.find(({ types }) => 'only' in types)?.limit ?? 0
  })
  expect(limits.slice(0, 15)).toEqual(limits.slice(0, 15).fill(0))
  expect(limits[15]).toBe(16)
})

test('where 256 take long, more are held', () => {
  const { made, admitted } = setting()
  for (let n = 0; n < 256; n++) made.aside('a', 1)
  expect(admitted()).toBe(0)
  expect(admitted('b')).toBe(100)
  made.aside('a', -1)
  expect(admitted()).toBe(100)
})

test('what waits is said once in ten seconds, and that it is over', async () => {
  const { env, lines, made, unavailable } = setting()
  for (let second = 0; second < 5; second++) {
    unavailable(8)
    for (let n = 0; n < 4; n++) made.ended('a', undefined)
    await env.advance(1_000)
  }
  expect(lines).toMatchObject([
    { level: 'warn', message: 'messages wait for a service that is unavailable', event: 'a' },
    { level: 'info', message: 'messages no longer wait', event: 'a' },
  ])
})

test('a clock that stands still stops nothing, and nothing is left behind', async () => {
  const { env, made, admitted, unavailable } = setting((env) => ({ ...env, now: () => 0 }))
  unavailable(8)
  await env.advance(1_000)
  expect(admitted()).toBe(4)
  expect(made.retries().shares).toEqual([{ types: { only: 'a' }, limit: 4 }, except])
  made.stop()
  expect(env.waiting).toBe(0)
})

test('where most of those that are tried hang, others are tried after a second', async () => {
  const { env, made } = setting()
  for (let n = 0; n < 20; n++) made.retrying('a', 1)
  expect(made.retries()).toEqual({ shares: [except], full: true })
  await env.advance(1_000)
  const shares = [{ types: { only: 'a' }, limit: 12 }, except]
  expect(made.retries()).toEqual({ shares, full: false })
})
