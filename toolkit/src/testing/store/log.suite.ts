import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Position, type Store } from '../../store/store.ts'
import type { ManualEnv } from '../manual-env.ts'
import {
  type At,
  NotEnough,
  claimAll,
  counters,
  driven,
  entry,
  headOf,
  rejection,
  turn,
  unique,
} from './fixture.suite.ts'

/** Publishes one message per key in one step, all in one partition. */
const publish = async (
  store: Store,
  env: ManualEnv,
  partition: number,
  keys: readonly string[],
  times: readonly number[] = [],
) => {
  await store.commit(async (unit) => {
    for (const [n, key] of keys.entries())
      unit.emit(
        entry(env, key, { partition, data: JSON.stringify({ n }), at: times[n] ?? env.now() }),
      )
  }, false)
}
const subjects = async (store: Store, after: readonly Position[], limit = 1_000) =>
  (await store.log.read(after, limit)).map(
    (one) => `${one.partition}/${one.position}:${one.subject}`,
  )

export const published = (at: At) => {
  test('every partition has a head, also where nothing was published', async () => {
    expect(await at().first.log.heads()).toEqual(
      claimAll.partitions.map((partition) => ({ partition, position: 0 })),
    )
  })

  test('a message carries what was emitted, and its place', async () => {
    const { first, second, env } = at()
    const emitted = entry(env, 'Müller 🐆', {
      partition: 1,
      data: '{"z":1,"a":[null,"ü"]}',
      at: 1_700_000_000_123,
    })
    await first.commit(async (unit) => unit.emit(emitted), false)
    const [read] = await second.log.read([{ partition: 1, position: 0 }], 10)
    expect(read).toMatchObject({
      specversion: '1.0',
      id: emitted.id,
      type: emitted.type,
      subject: 'Müller 🐆',
      time: '2023-11-14T22:13:20.123Z',
      data: { z: 1, a: [null, 'ü'] },
      correlationid: 'correlation',
      partition: 1,
      position: 1,
    })
    expect(read?.source).toBeTruthy()
  })

  test('each partition is numbered from 1 without gaps, in the order of the step', async () => {
    const { first, env } = at()
    await publish(first, env, 2, ['a', 'b', 'a'])
    await publish(first, env, 3, ['c'])
    await publish(first, env, 2, ['b'])
    const both = [{ partition: 2, position: 0 }, { partition: 3, position: 0 }] // prettier-ignore
    expect(await subjects(first, both)).toEqual(['2/1:a', '2/2:b', '2/3:a', '2/4:b', '3/1:c'])
    expect([await headOf(first, 2), await headOf(first, 3)]).toEqual([4, 1])
  })

  test('a read answers at most its limit for each partition asked, after its position, in order', async () => {
    const { first, env } = at()
    await publish(first, env, 4, ['a', 'b', 'c', 'd'])
    await publish(first, env, 5, ['e', 'f', 'g'])
    const from = (four: number, five: number) => [{ partition: 5, position: five }, { partition: 4, position: four }] // prettier-ignore
    expect(await subjects(first, from(0, 0), 2)).toEqual(['4/1:a', '4/2:b', '5/1:e', '5/2:f'])
    expect(await subjects(first, from(2, 2), 2)).toEqual(['4/3:c', '4/4:d', '5/3:g'])
    expect(await subjects(first, from(4, 3), 2)).toEqual([])
    expect(await subjects(first, [{ partition: 4, position: 3 }])).toEqual(['4/4:d'])
    expect(await subjects(first, [])).toEqual([])
  })

  test('of other types than those asked for, a partition’s last message alone leaves a trace', async () => {
    const { first, env } = at()
    const types = ['a.v1', 'b.v1', 'a.v1', 'b.v1', 'b.v1']
    await first.commit(async (unit) => {
      for (const type of types) unit.emit(entry(env, 'k', { partition: 9, type }))
    }, false)
    const read = async (position: number, limit: number, wanted: readonly string[]) =>
      (await first.log.read([{ partition: 9, position }], limit, wanted)).map(
        (one) => `${one.position}:${one.type}`,
      )
    expect(await read(0, 10, ['a.v1'])).toEqual(['1:a.v1', '3:a.v1', '5:'])
    expect(await read(0, 2, ['b.v1'])).toEqual(['2:b.v1'])
    expect(await read(2, 2, ['a.v1', 'c.v1'])).toEqual(['3:a.v1', '4:'])
    expect(await read(3, 10, [])).toEqual(['5:'])
    expect(await read(5, 10, ['a.v1'])).toEqual([])
  })

  test('a reader can do to a message what it likes: the log keeps its own', async () => {
    const { first, env } = at()
    await publish(first, env, 6, ['a'])
    const from = [{ partition: 6, position: 0 }]
    for (const read of await first.log.read(from, 1)) (read.data as { n: number }).n = 99
    expect((await first.log.read(from, 1))[0]?.data).toEqual({ n: 0 })
  })

  test('many messages of one step keep their order', async () => {
    const { first, env } = at()
    const keys = Array.from({ length: 1_100 }, (_, n) => `k${n}`)
    await publish(first, env, 7, keys)
    const read = await first.log.read([{ partition: 7, position: 0 }], 2_000)
    expect(read.map((one) => one.subject)).toEqual(keys)
  })

  test('the order of a key is the order of its commits, with two hosts and many steps at once', async () => {
    const { first, second, env } = at()
    const stores = [first, second]
    const step = fc.record({
      key: fc.constantFrom('a', 'b', 'c'),
      store: fc.constantFrom(0, 1),
      fails: fc.boolean(),
      pause: fc.nat(4),
    })
    const property = fc.asyncProperty(
      fc.array(step, { minLength: 8, maxLength: 32 }),
      async (plan) => {
        const run = unique('order')
        const before = await first.log.heads()
        const commits = plan.map(async ({ key, store, fails, pause }) => {
          for (let n = 0; n < pause; n++) await turn()
          const commit = stores[store]?.commit(async (unit) => {
            const version = await counters(unit).add(`${run}${key}`, 1)
            unit.emit(entry(env, `${run}${key}`, { data: JSON.stringify({ version }) }))
            if (fails) throw NotEnough(undefined)
          }, false)
          await commit?.catch((error: unknown) =>
            expect(error).toMatchObject({ code: 'not-enough' }),
          )
        })
        await driven(env, Promise.all(commits))

        const read = await first.log.read(before, 1_000)
        const next = new Map(before.map((head) => [head.partition, head.position + 1]))
        for (const { partition, position } of read) {
          expect(position).toBe(next.get(partition))
          next.set(partition, position + 1)
        }
        for (const key of ['a', 'b', 'c']) {
          const versions = read
            .filter((one) => one.subject === `${run}${key}`)
            .map((one) => (one.data as { version: number }).version)
          const committed = plan.filter((one) => one.key === key && !one.fails)
          expect(versions).toEqual(committed.map((_, n) => n + 1))
        }
      },
    )
    await fc.assert(property, { numRuns: 12 })
  })
}

export const retention = (at: At) => {
  const hour = 3_600_000
  test('pruning deletes what is older, and answers how much', async () => {
    const { first, env } = at()
    await publish(first, env, 0, ['a', 'b'])
    await env.advance(hour)
    await publish(first, env, 0, ['c'])
    expect(await first.log.readers.prune(env.now())).toBe(2)
    expect(await first.log.readers.prune(env.now())).toBe(0)
    expect(await subjects(first, [{ partition: 0, position: 2 }])).toEqual(['0/3:c'])
    await publish(first, env, 0, ['d'])
    expect(await headOf(first, 0)).toBe(4)
  })

  test('a cursor from before what is kept is too old, also when nothing is kept', async () => {
    const { first, env } = at()
    await publish(first, env, 1, ['a', 'b', 'c'], [env.now(), env.now(), env.now() + hour])
    await first.log.readers.prune(env.now() + 1)
    const read = (position: number) => first.log.read([{ partition: 1, position }], 10)
    expect(await rejection(read(1))).toMatchObject({ code: 'cursor-too-old' })
    expect(await read(2)).toHaveLength(1)
    await first.log.readers.prune(env.now() + 2 * hour)
    expect(await rejection(read(2))).toMatchObject({ code: 'cursor-too-old' })
    expect(await read(3)).toEqual([])
  })

  test('position 0 reads from the oldest message that is kept: so a new subscription begins', async () => {
    const { first, env } = at()
    await publish(first, env, 2, ['a', 'b', 'c'], [env.now(), env.now(), env.now() + hour])
    await first.log.readers.prune(env.now() + 1)
    expect(await subjects(first, [{ partition: 2, position: 0 }])).toEqual(['2/3:c'])
    await first.log.readers.prune(env.now() + 2 * hour)
    expect(await subjects(first, [{ partition: 2, position: 0 }])).toEqual([])
  })

  test('what a reader has not passed stays, however old', async () => {
    const { first, second, env } = at()
    const old = env.now() + 10 * hour
    await publish(first, env, 3, ['a', 'b', 'c'])
    await first.log.readers.report('slow', [{ partition: 3, position: 1 }])
    await second.log.readers.report('fast', [{ partition: 3, position: 3 }])
    await second.log.readers.prune(old)
    expect(await subjects(first, [{ partition: 3, position: 1 }])).toEqual(['3/2:b', '3/3:c'])
    await first.log.readers.report('slow', [{ partition: 3, position: 2 }])
    await first.log.readers.prune(old)
    expect(await subjects(first, [{ partition: 3, position: 2 }])).toEqual(['3/3:c'])
    await first.log.readers.forget('slow')
    await first.log.readers.prune(old)
    expect(await subjects(first, [{ partition: 3, position: 3 }])).toEqual([])
    await first.log.readers.forget('fast')
  })

  test('the copy of a cursor only moves on: a report that comes late changes nothing', async () => {
    const { first, second } = at()
    await first.log.readers.report('copy', [{ partition: 4, position: 5 }, { partition: 5, position: 0 }]) // prettier-ignore
    await second.log.readers.report('copy', [{ partition: 4, position: 3 }])
    const mine = (await second.log.readers.list()).filter((one) => one.subscription === 'copy')
    expect(mine).toEqual([
      { subscription: 'copy', partition: 4, position: 5 },
      { subscription: 'copy', partition: 5, position: 0 },
    ])
    await first.log.readers.forget('copy')
    expect((await first.log.readers.list()).map((one) => one.subscription)).not.toContain('copy')
  })

  test('clocks that differ leave no hole in the log', async () => {
    const { first, env } = at()
    const [early, late] = [env.now(), env.now() + hour]
    await publish(first, env, 6, ['a', 'b', 'c', 'd'], [early, late, early, late])
    await first.log.readers.prune(late)
    expect(await subjects(first, [{ partition: 6, position: 1 }])).toEqual([
      '6/2:b',
      '6/3:c',
      '6/4:d',
    ])
  })
}
