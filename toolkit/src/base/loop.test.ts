import { expect, test } from 'vitest'
import { manualEnv } from '../testing/manual-env.ts'
import { loop } from './loop.ts'
import { pulse } from './pulse.ts'

const open = () => new AbortController().signal

test('a pulse ends a wait at once, and takes its timer away', async () => {
  const env = manualEnv()
  const beat = pulse(env)
  const waiting = beat.wait(1_000, open())
  expect(env.waiting).toBe(1)
  beat.wake()
  await waiting
  expect(env.waiting).toBe(0)
})

test('a wake that comes while nobody waits is kept for the next wait, once', async () => {
  const env = manualEnv()
  const beat = pulse(env)
  beat.wake()
  beat.wake()
  await beat.wait(1_000, open())
  let ended = false
  void beat.wait(1_000, open()).then(() => (ended = true))
  await env.advance(999)
  expect(ended).toBe(false)
  await env.advance(1)
  expect(ended).toBe(true)
})

test('an abort ends a wait with its reason, and leaves nothing behind', async () => {
  const env = manualEnv()
  const beat = pulse(env)
  const controller = new AbortController()
  const waiting = beat.wait(1_000, controller.signal)
  controller.abort(new Error('stop'))
  await expect(waiting).rejects.toThrow('stop')
  await expect(beat.wait(1_000, controller.signal)).rejects.toThrow('stop')
  expect(env.waiting).toBe(0)
})

/** A loop whose turns are ended by hand. */
const handLoop = () => {
  const env = manualEnv()
  const turns: { end(wait: number): void; fail(error: Error): void; signal: AbortSignal }[] = []
  const failed: unknown[] = []
  const running = loop({
    env,
    failed: (error) => failed.push(error),
    turn: (signal) =>
      new Promise((resolve, reject) => turns.push({ end: resolve, fail: reject, signal })),
  })
  return { env, turns, failed, running }
}

test('a loop turns at once, and again when its wait is over', async () => {
  const { env, turns } = handLoop()
  expect(turns).toHaveLength(1)
  turns[0]?.end(100)
  await env.advance(99)
  expect(turns).toHaveLength(1)
  await env.advance(1)
  expect(turns).toHaveLength(2)
})

test('a wake during a turn is not lost: the loop turns once more without waiting', async () => {
  const { env, turns, running } = handLoop()
  running.wake()
  running.wake()
  turns[0]?.end(60_000)
  await env.advance(0)
  expect(turns).toHaveLength(2)
  turns[1]?.end(60_000)
  await env.advance(0)
  expect(turns).toHaveLength(2)
  running.wake()
  await env.advance(0)
  expect(turns).toHaveLength(3)
})

test('a turn that answers no wait is followed by the next', async () => {
  const { env, turns } = handLoop()
  turns[0]?.end(0)
  await env.advance(0)
  expect(turns).toHaveLength(2)
})

test('stop aborts the signal, waits for the turn under way, and ends', async () => {
  const { env, turns, running } = handLoop()
  let stopped = false
  const stopping = running.stop().then(() => (stopped = true))
  await env.advance(0)
  expect(turns[0]?.signal.aborted).toBe(true)
  expect(stopped).toBe(false)
  turns[0]?.end(60_000)
  await stopping
  running.wake()
  await env.advance(60_000)
  expect(turns).toHaveLength(1)
  expect(env.waiting).toBe(0)
})

test('stop ends a loop that waits, and a turn that fails because of it is no failure', async () => {
  const waiting = handLoop()
  waiting.turns[0]?.end(60_000)
  await waiting.env.advance(1)
  await waiting.running.stop()
  expect(waiting.env.waiting).toBe(0)

  const turning = handLoop()
  const stopping = turning.running.stop()
  turning.turns[0]?.fail(new Error('aborted'))
  await stopping
  expect(turning.failed).toEqual([])
})

test('failures are told, and back off from 50 ms to 2 s; a success starts over', async () => {
  const env = manualEnv()
  const times: number[] = []
  let failures = 0
  const running = loop({
    env,
    failed: () => (failures += 1),
    turn: () => {
      times.push(env.now())
      return times.length === 9 ? Promise.resolve(7) : Promise.reject(new Error('away'))
    },
  })
  await env.advance(7_210)
  await running.stop()
  expect(times.slice(1).map((at, index) => at - (times[index] ?? 0))).toEqual([
    ...[50, 100, 200, 400, 800, 1_600, 2_000, 2_000],
    ...[7, 50],
  ])
  expect(failures).toBe(10)
})

test('a turn that throws before it returns a promise is a failure as any other', async () => {
  const env = manualEnv()
  const failed: unknown[] = []
  const running = loop({
    env,
    failed: (error) => failed.push(error),
    turn: () => {
      throw new Error('at once')
    },
  })
  await env.advance(50)
  expect(failed).toHaveLength(2)
  await running.stop()
})
