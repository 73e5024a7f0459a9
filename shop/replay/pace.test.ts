import { eventually, manualEnv } from 'serval/testing'
import { expect, test } from 'vitest'
import { inParallel, openLoop, schedule } from './pace.ts'

test('items run in order, no more at once than allowed', async () => {
  const started: number[] = []
  let running = 0
  let most = 0
  await inParallel([0, 1, 2, 3, 4, 5, 6], 3, async (item) => {
    started.push(item)
    most = Math.max(most, (running += 1))
    await Promise.resolve()
    running -= 1
  })
  expect(started).toEqual([0, 1, 2, 3, 4, 5, 6])
  expect(most).toBe(3)
})

test('the first failure ends the taking of items', async () => {
  const started: number[] = []
  const run = inParallel([0, 1, 2, 3, 4, 5], 2, async (item) => {
    started.push(item)
    await Promise.resolve()
    if (item === 1) throw new Error('no')
  })
  await expect(run).rejects.toThrow('no')
  expect(started.length).toBeLessThan(6)
})

test('a schedule keeps the distances, divided by the factor', () => {
  expect(schedule([60_000, 120_000, 120_000, 660_000], 60)).toEqual([0, 1_000, 1_000, 10_000])
  expect(schedule([], 2)).toEqual([])
})

test('an open loop starts items when they are due, though earlier ones are not done', async () => {
  const env = manualEnv()
  const started: [string, number][] = []
  let finish = () => undefined as void
  const slow = new Promise<void>((resolve) => (finish = resolve))
  const begun = env.now()
  const over = openLoop(
    ['a', 'b', 'c'],
    [0, 100, 250],
    { env, clock: () => env.now() },
    async (item, dueAt) => {
      started.push([item, dueAt - begun])
      await slow
    },
  )
  await eventually(() => started.length === 1, 'the first start')
  await env.advance(100)
  await eventually(() => started.length === 2, 'the second start')
  await env.advance(150)
  await eventually(() => started.length === 3, 'the third start')
  finish()
  await over
  expect(started).toEqual([
    ['a', 0],
    ['b', 100],
    ['c', 250],
  ])
})
