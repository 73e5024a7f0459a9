import { afterEach, expect, test } from 'vitest'
import { failure } from '../base/failure.ts'
import type { Message } from '../contract/index.ts'
import { logger } from '../telemetry/log.ts'
import { eventually, manualEnv } from '../testing/index.ts'
import { changesOf, eventHub, type Broadcast, type EventHub } from './hub.ts'
import type { LogSource } from './log-source.ts'

const eventOf = (id: string, key: string): Broadcast => ({
  id,
  source: 'shop',
  type: 'moved.v1',
  key,
  data: { key },
})
const env = manualEnv()

/** A log of one partition that the test appends to, with a hub that reads it. */
const start = (shared: boolean) => {
  const messages: Message[] = []
  const state = { reads: 0, tooOld: false, away: false }
  const lines: string[] = []
  const source: LogSource = {
    heads: async () => [{ partition: 0, position: messages.length }],
    read: async ([after], limit) => {
      state.reads += 1
      if (state.away) throw failure('unavailable', 'no host that serves shop is known')
      if (state.tooOld) {
        state.tooOld = false
        throw failure('cursor-too-old')
      }
      return messages.filter(({ position }) => position > (after?.position ?? 0)).slice(0, limit)
    },
    report: async () => undefined,
  }
  const hub = eventHub({
    env,
    log: logger({ env, write: (line) => lines.push(line) }),
    sourceOf: () => source,
    shared,
    pollMs: 1_000_000,
  })
  const publish = ({ id, key, data, type }: Broadcast) => {
    messages.push({
      specversion: '1.0',
      id,
      source: 'shop',
      type,
      subject: key,
      time: '2026-01-01T00:00:00Z',
      data,
      correlationid: 'c',
      partition: 0,
      position: messages.length + 1,
    })
    hub.wake('shop')
  }
  hubs.push(hub)
  return { hub, state, publish, lines }
}
const hubs: EventHub[] = []
afterEach(async () => {
  await Promise.all(hubs.splice(0).map((hub) => hub.stop()))
})

const listen = async (hub: EventHub, key?: string) => {
  const heard: string[] = []
  let gaps = 0
  const listener = {
    event: ({ id }: Broadcast) => void heard.push(id),
    gap: () => void (gaps += 1),
  }
  const leave = await hub.follow('shop', listener, key)
  return { heard, leave, gaps: () => gaps }
}

test('what this process publishes is heard before tell resolves, each key by those who asked for it', async () => {
  const { hub } = start(false)
  const all = await listen(hub)
  const one = await listen(hub, 'a')
  await hub.tell([eventOf('1', 'a'), eventOf('2', 'b')])
  expect(all.heard).toEqual(['1', '2'])
  expect(one.heard).toEqual(['1'])
  await one.leave()
  await hub.tell([eventOf('3', 'a')])
  expect(one.heard).toEqual(['1'])
})

test('tell waits for listeners that take their time', async () => {
  const { hub } = start(false)
  let done = false
  await hub.follow('shop', {
    event: () =>
      new Promise((resolve) =>
        setTimeout(() => {
          done = true
          resolve()
        }, 1),
      ),
    gap: () => undefined,
  })
  await hub.tell([eventOf('1', 'a')])
  expect(done).toBe(true)
})

test('what others publish is read from the log; the own comes once', async () => {
  const { hub, publish } = start(true)
  publish(eventOf('0', 'a'))
  const { heard } = await listen(hub)
  await hub.tell([eventOf('1', 'a')])
  publish(eventOf('1', 'a'))
  publish(eventOf('2', 'a'))
  await eventually(() => heard.length >= 2, 'the other host’s event')
  expect(heard).toEqual(['1', '2'])
})

test('a gap is told, and following goes on from the head', async () => {
  const { hub, publish, state } = start(true)
  const { heard, gaps } = await listen(hub)
  state.tooOld = true
  publish(eventOf('1', 'a'))
  await eventually(() => gaps() === 1, 'the gap')
  publish(eventOf('2', 'a'))
  await eventually(() => heard.length > 0, 'the next event')
  expect(heard).toEqual(['2'])
})

test('of a log that cannot be followed is told, unless this process ends; it goes on all the same', async () => {
  const { hub, publish, state, lines } = start(true)
  const { heard } = await listen(hub)
  state.away = true
  publish(eventOf('1', 'a'))
  await eventually(() => lines.length > 0, 'the warning')
  expect(lines[0]).toContain('a log cannot be followed')
  hub.leave()
  const [said, reads] = [lines.length, state.reads]
  await env.advance(10_000)
  expect(state.reads).toBeGreaterThan(reads)
  expect(lines).toHaveLength(said)
  state.away = false
  await env.advance(2_000)
  expect(heard).toEqual(['1'])
})

test('nobody reads a log that nobody follows, nor one that only this process writes', async () => {
  const { hub, publish, state } = start(true)
  const { leave } = await listen(hub)
  await leave()
  const before = state.reads
  publish(eventOf('1', 'a'))
  await env.advance(0)
  expect(state.reads).toBe(before)
  const own = start(false)
  await listen(own.hub)
  own.publish(eventOf('1', 'a'))
  await env.advance(0)
  expect(own.state.reads).toBe(0)
})

test('changes come at once, after each event, and end with the signal', async () => {
  const { hub } = start(false)
  const going = new AbortController()
  const changes = changesOf(hub, 'shop', 'a', env, going.signal)
  expect(await changes.next()).toEqual({ done: false, value: undefined })
  const next = changes.next()
  await hub.tell([eventOf('1', 'b'), eventOf('2', 'a')])
  expect((await next).done).toBe(false)
  const last = changes.next()
  await env.advance(0)
  going.abort()
  expect((await last).done).toBe(true)
})
