import { expect, test } from 'vitest'
import { type CursorMove, type Store } from '../../store/store.ts'
import {
  type At,
  claimAll,
  counters,
  driven,
  hold,
  message,
  moveTo,
  subscribe,
  supersededBy,
  unique,
  valueOf,
} from './fixture.suite.ts'

export const cursors = (at: At) => {
  test('opening adds what is missing, and moves no cursor that is there', async () => {
    const { first, second } = at()
    const id = { subscription: unique('reader'), publisher: 'publisher' }
    const start = [{ partition: 1, position: 7 }, { partition: 0, position: 3 }] // prettier-ignore
    expect(await first.subscriptions.open(id, start)).toEqual(start.toReversed())
    const again = [{ partition: 0, position: 9 }, { partition: 2, position: 9 }] // prettier-ignore
    expect(await second.subscriptions.open(id, again)).toEqual([...start.toReversed(), again[1]])
    expect(await second.subscriptions.positions(id)).toEqual([...start.toReversed(), again[1]])
    expect(await first.subscriptions.positions({ ...id, publisher: 'another' })).toEqual([])
  })

  test('of many moves from one position one is made', async () => {
    const { first, second, env } = at()
    const [id, key] = [await subscribe(first), unique('moves')]
    const steps = Array.from({ length: 8 }, (_, n) =>
      supersededBy(
        (n % 2 ? first : second).commit(async (unit) => {
          await counters(unit).add(key, 1)
          unit.frame.moveCursor(moveTo(id, 1, 'k'))
        }, true),
      ),
    )
    const ends = await driven(env, Promise.all(steps))
    expect(ends.filter((end) => end === 'cursor')).toHaveLength(7)
    expect(await valueOf(first, key)).toBe(1)
    expect((await first.subscriptions.positions(id))[0]).toEqual({ partition: 0, position: 1 })
  })

  test('a cursor does not move for a message while one of its key is held', async () => {
    const { first } = at()
    const { id, heldAt } = await hold(first, ['k'])
    const move = (given: CursorMove) =>
      supersededBy(first.commit(async (unit) => unit.frame.moveCursor(given), true))
    expect(await move(moveTo(id, 2, 'k'))).toBe('cursor')
    expect(await move(moveTo(id, 2, 'other'))).not.toBe('cursor')
    expect(await move(moveTo(id, 3))).not.toBe('cursor')
    expect(await move(moveTo(id, 4, 'k'))).toBe('cursor')
    await first.commit(async (unit) => unit.frame.settleHeld(heldAt(1)), true)
    expect(await move(moveTo(id, 4, 'k'))).not.toBe('cursor')
    expect((await first.subscriptions.positions(id))[0]?.position).toBe(4)
  })
}

export const heldMessages = (at: At) => {
  test('holding moves the cursor; whoever comes second holds nothing', async () => {
    const { first, second } = at()
    const { id, claim } = await hold(first, ['a'])
    expect((await first.subscriptions.positions(id))[0]?.position).toBe(1)
    const put = second.subscriptions.held.put(moveTo(id, 1), message(1, 'a'), {
      dueAt: 0, failures: 0, tries: 0, error: undefined, holder: undefined,
    }) // prettier-ignore
    expect(await supersededBy(put)).toBe('cursor')
    expect(await claim({ now: 1, holder: 'h' })).toEqual([1])
  })

  test('the held keys are counted per partition', async () => {
    const { first } = at()
    const { id } = await hold(first, ['a', 'b', 'a'])
    const keys = await first.subscriptions.held.keys(id)
    expect(keys.toSorted((a, b) => (a.key < b.key ? -1 : 1))).toEqual([
      { partition: 0, key: 'a', count: 2 },
      { partition: 0, key: 'b', count: 1 },
    ])
  })

  test('a held message comes back as it went', async () => {
    const { first } = at()
    const { id } = await hold(first, ['a'])
    const [held] = await first.subscriptions.held.claim(id, {
      ...claimAll,
      now: 1,
      until: 2,
      holder: 'h',
    })
    expect(held).toMatchObject({
      ...id,
      partition: 0,
      position: 1,
      failures: 0,
      tries: 0,
      parked: false,
      error: undefined,
    })
    expect(held?.message).toEqual(message(1, 'a'))
  })

  test('of each key the first is claimed, and the next when that is settled', async () => {
    const { first } = at()
    const { claim, heldAt } = await hold(first, ['a', 'b', 'a', 'a'])
    expect(await claim({ now: 1, holder: 'h' })).toEqual([1, 2])
    await first.commit(async (unit) => unit.frame.settleHeld(heldAt(1)), true)
    expect(await claim({ now: 1, holder: 'h' })).toEqual([3])
  })

  test('of the types asked, the oldest are claimed, and those that waited longest for a try', async () => {
    const { first } = at()
    const { id, claim } = await hold(first, [])
    const messages = [
      { type: 'a.v1', minute: 1, dueAt: 50 },
      { type: 'a.v1', minute: 2, dueAt: 60 },
      { type: 'b.v1', minute: 3, dueAt: 0 },
      { type: 'a.v1', minute: 4, dueAt: 10 },
      { type: 'a.v1', minute: 5, dueAt: 20 },
    ]
    for (const [index, { type, minute, dueAt }] of messages.entries())
      await first.subscriptions.held.put(
        moveTo(id, index + 1),
        { ...message(index + 1, `key ${index}`), type, time: `2026-01-01T00:0${minute}:00.000Z` },
        { dueAt, failures: 0, tries: 0, error: undefined, holder: undefined },
      )
    const claimed = (types: { only: string } | { except: string[] }, limit: number) =>
      claim({ now: 100, holder: 'h', types, limit })
    expect(await claimed({ only: 'none.v1' }, 9)).toEqual([])
    expect(await claimed({ only: 'a.v1' }, 2)).toEqual([1, 4])
    expect(await claimed({ except: ['a.v1'] }, 9)).toEqual([3])
    expect(await claimed({ only: 'a.v1' }, 9)).toEqual([2, 5])
  })

  test('only what is due, in the partitions asked, and at most the limit is claimed', async () => {
    const { first } = at()
    const { claim } = await hold(first, ['a', 'b', 'c'], 100)
    expect(await claim({ now: 99, holder: 'h' })).toEqual([])
    expect(await claim({ now: 100, holder: 'h', partitions: [1, 2] })).toEqual([])
    const some = await claim({ now: 100, holder: 'h', limit: 2 })
    expect(some).toHaveLength(2)
    expect(await claim({ now: 100, holder: 'h', limit: 2 })).toHaveLength(1)
  })

  test('a claim lasts until its time; then another host may have the message', async () => {
    const { first, second } = at()
    const { claim } = await hold(first, ['a'])
    await first.hosts.beat('stuck', 1, 10_000)
    expect(await claim({ now: 1, until: 50, holder: 'stuck' })).toEqual([1])
    expect(await claim({ now: 49, holder: 'other', from: second })).toEqual([])
    expect(await claim({ now: 50, holder: 'other', from: second })).toEqual([1])
    await first.hosts.reset()
  })

  test('what a host held that is gone is claimed at once', async () => {
    const { first, second } = at()
    const { claim } = await hold(first, ['a'], 60_000, 'dead')
    await first.hosts.beat('dead', 1, 100)
    expect(await claim({ now: 99, holder: 'other', from: second })).toEqual([])
    expect(await claim({ now: 100, holder: 'other', from: second })).toEqual([1])
    await second.hosts.beat('other', 100, 1_000)
    expect(await claim({ now: 101, holder: 'third' })).toEqual([])
    await second.hosts.leave('other')
    expect(await claim({ now: 102, holder: 'third' })).toEqual([1])
  })

  test('what a host holds without working on it, it may claim again at once; others wait', async () => {
    const { first, second } = at()
    const { claim } = await hold(first, ['a', 'b'])
    await first.hosts.beat('one', 1, 10_000)
    expect(await claim({ now: 1, until: 50, holder: 'one' })).toEqual([1, 2])
    const working = [{ partition: 0, position: 2 }]
    expect(await claim({ now: 2, until: 50, holder: 'two', from: second, working: [] })).toEqual([])
    expect(await claim({ now: 2, until: 50, holder: 'one', working })).toEqual([1])
    const both = [{ partition: 0, position: 1 }, ...working]
    expect(await claim({ now: 3, until: 50, holder: 'one', working: both })).toEqual([])
    await first.hosts.reset()
    // Its heartbeat ended while the store was away: what it works on is its own all the same.
    expect(await claim({ now: 4, until: 50, holder: 'one', working: both })).toEqual([])
    expect(await claim({ now: 50, until: 90, holder: 'one', working: both })).toEqual([1, 2])
  })

  test('two hosts that claim at once never get the same message', async () => {
    const { first, second, env } = at()
    await first.hosts.beat('one', 1, 1_000)
    await first.hosts.beat('two', 1, 1_000)
    const keys = Array.from({ length: 24 }, (_, n) => `k${n}`)
    const { claim } = await hold(first, keys)
    const claims = Array.from({ length: 12 }, (_, n) =>
      claim({
        now: 1,
        limit: 4,
        ...(n % 2 ? { holder: 'one', from: first } : { holder: 'two', from: second }),
      }),
    )
    const claimed = (await driven(env, Promise.all(claims))).flat()
    expect(new Set(claimed).size).toBe(claimed.length)
    const rest = await claim({ now: 1, holder: 'one' })
    expect([...claimed, ...rest].sort((a, b) => a - b)).toEqual(keys.map((_, n) => n + 1))
    await first.hosts.reset()
  })

  test('a try that failed is due again at its time, with its error', async () => {
    const { first } = at()
    const { id, claim, heldAt } = await hold(first, ['a'])
    await claim({ now: 1, holder: 'h' })
    await first.subscriptions.held.tries.failed(heldAt(1), {
      dueAt: 70,
      failures: 2,
      tries: 7,
      error: 'why',
      parked: false,
    })
    expect(await claim({ now: 69, holder: 'h' })).toEqual([])
    const [held] = await first.subscriptions.held.claim(id, {
      ...claimAll,
      now: 70,
      until: 80,
      holder: 'h',
    })
    expect(held).toMatchObject({ position: 1, failures: 2, tries: 7, error: 'why', parked: false })
  })

  /** A parked message of key `a`, with another behind it. */
  const park = async (store: Store) => {
    const holding = await hold(store, ['a', 'a', 'b'])
    const failed = { dueAt: 1, failures: 5, tries: 5, error: 'why', parked: true }
    await store.subscriptions.held.tries.failed(holding.heldAt(1), failed)
    return { ...holding, tries: store.subscriptions.held.tries }
  }

  test('a parked message is listed, stops its key, and is not claimed', async () => {
    const { first } = at()
    const { id, claim, tries } = await park(first)
    const mine = (await tries.parked()).filter((held) => held.subscription === id.subscription)
    expect(mine).toHaveLength(1)
    expect(mine[0]).toMatchObject({
      ...id,
      position: 1,
      parked: true,
      failures: 5,
      tries: 5,
      error: 'why',
      message: message(1, 'a'),
    })
    expect(await claim({ now: 1_000, holder: 'h' })).toEqual([3])
    expect(await first.subscriptions.held.keys(id)).toContainEqual({
      partition: 0,
      key: 'a',
      count: 2,
    })
  })

  test('a replay tries the key again from its first message', async () => {
    const { first } = at()
    const { id, heldAt, tries } = await park(first)
    expect(await tries.replay(id, 'b', 500)).toBe(false)
    expect(await tries.replay({ ...id, publisher: 'another' }, 'a', 500)).toBe(false)
    expect(await tries.replay(id, 'a', 500)).toBe(true)
    const due = async (now: number) => {
      const claimed = await first.subscriptions.held.claim(id, {
        ...claimAll,
        now,
        until: 5_000,
        holder: 'h',
      })
      return claimed.filter((held) => held.message.subject === 'a')
    }
    expect(await due(499)).toEqual([])
    expect(await due(500)).toMatchObject([{ position: 1, failures: 0, parked: false }])
    await first.commit(async (unit) => unit.frame.settleHeld(heldAt(1)), true)
    expect(await due(500)).toMatchObject([{ position: 2 }])
  })

  test('a discard lets go of the first message, and the next of the key is tried', async () => {
    const { first } = at()
    const { id, claim, tries } = await park(first)
    expect(await tries.discard(id, 'b', 1)).toBe(false)
    expect(await tries.discard(id, 'a', 1)).toBe(true)
    expect(await tries.discard(id, 'a', 1)).toBe(false)
    expect(await claim({ now: 1, holder: 'h' })).toEqual([2, 3])
  })
}
