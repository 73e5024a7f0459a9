import { expect, test } from 'vitest'
import { z } from 'zod'
import { failure } from '../base/failure.ts'
import { contract, query } from '../contract/index.ts'
import { logger } from '../telemetry/log.ts'
import { manualEnv } from '../testing/manual-env.ts'
import { alone, clientOf, guardedLinks } from './client.ts'
import { retryTally } from './retry-tally.ts'

const read = query({
  summary: 'x',
  access: 'internal',
  input: z.object({}),
  output: z.string(),
})
const made = contract('made', { operations: { read, watch: read } })

/** A service that fails so often, and two who call it. */
const setting = () => {
  const env = manualEnv()
  const lines: unknown[] = []
  const tally = retryTally(env, logger({ env, write: (line) => lines.push(JSON.parse(line)) }))
  let failing = 0
  const answer = () => {
    if (failing === 0) return Promise.resolve({ value: 'ok' })
    failing -= 1
    return Promise.reject(failure('unavailable'))
  }
  const links = guardedLinks({ call: answer }, env, tally)
  const clientFor = (name: string) =>
    clientOf(made, links(name), alone(env, { kind: 'service', name }))
  return {
    env,
    tally,
    lines,
    one: clientFor('one'),
    other: clientFor('other'),
    /** The next so many calls fail. */
    fail: (times: number) => void (failing = times),
    /** Lets the waits before retries pass. */
    settled: async <T>(made: Promise<T>) => {
      await env.advance(200)
      return made
    },
  }
}

test('ten seconds in which calls were made again are one line: how many, of how many, and of what most', async () => {
  const { env, lines, one, other, fail, settled } = setting()
  await one.read({})
  expect(env.waiting).toBe(0)

  fail(1)
  await settled(one.read({}))
  await other.watch({})
  fail(2)
  await settled(other.watch({}))
  expect(lines).toEqual([])
  await env.advance(10_000)
  expect(lines).toMatchObject([
    { level: 'warn', message: 'calls were made again', calls: 3, retries: 3, most: 'made.watch' },
  ])

  await one.read({})
  await env.advance(20_000)
  expect(lines).toHaveLength(1)
  fail(1)
  await settled(other.read({}))
  await env.advance(10_000)
  expect(lines[1]).toMatchObject({ calls: 1, retries: 1, most: 'made.read' })
})

test('who ends says nothing of those that end with it', async () => {
  const { env, lines, one, fail, settled, tally } = setting()
  fail(1)
  await settled(one.read({}))
  tally.stop()
  expect(env.waiting).toBe(0)
  expect(lines).toEqual([])
})
