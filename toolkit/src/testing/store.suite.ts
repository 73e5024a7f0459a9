import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ServalError } from '../base/failure.ts'
import { problem, type Message } from '../contract/index.ts'
import { partitionCount, partitionOf } from '../events/partition.ts'
import { repository } from '../store/repository.ts'
import {
  Superseded,
  type CursorMove,
  type OutboxEntry,
  type Position,
  type RememberedReply,
  type Store,
  type SubscriptionId,
  type Unit,
} from '../store/store.ts'
import type { ManualEnv } from './manual-env.ts'

/** A repository that each engine brings for the suite, of scope `service`. A counter begins at 0. */
export interface Counters {
  /** Adds, and answers the new value. The row is locked until the step ends. */
  add(key: string, by: number): Promise<number>
  /** Writes `to` under the guard that the value is `from`. */
  swap(key: string, from: number, to: number, otherwise: ServalError | 'again'): void
  value(key: string): Promise<number>
}

/** The same for scope `aggregate`: it names an aggregate only when the suite says so. */
export interface Pages {
  touch(aggregate: string): void
  write(key: string, n: number): void
  /** Writes, and answers what it wrote: in SQL by a query with RETURNING. */
  writeAndAnswer(key: string, n: number): Promise<number>
  value(key: string): Promise<number | undefined>
}

/** What `open` opens its stores with. */
export const storeSuiteRepositories = (
  engine: string,
  load: { readonly counters: () => Promise<unknown>; readonly pages: () => Promise<unknown> },
) => {
  const pages = repository<Pages>({ scope: 'aggregate', engines: { [engine]: load.pages } })
  const counters = repository<Counters>({ scope: 'service', engines: { [engine]: load.counters } })
  return { counters, pages, covers: pages }
}

export interface StoreUnderTest {
  readonly first: Store
  /** Another host's view of the same store. */
  readonly second?: Store
  readonly env: ManualEnv
  end(): Promise<void>
}

type At = () => Required<StoreUnderTest>

const counters = (of: Pick<Unit, 'repositories'>) => of.repositories['counters'] as Counters
const pages = (of: Pick<Unit, 'repositories'>) => of.repositories['pages'] as Pages
const covers = (of: Pick<Unit, 'repositories'>) => of.repositories['covers'] as Pages
const NotEnough = problem('not-enough', { kind: 'conflict', title: 'Not enough' })

const rejection = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => new Error(`resolved with ${JSON.stringify(value)}`),
    (error: unknown) => error,
  )
const supersededBy = async (promise: Promise<unknown>) => {
  const error = await rejection(promise)
  return error instanceof Superseded ? error.by : error
}
const turn = () => new Promise((resolve) => setTimeout(resolve, 0))

/** Moves time on until it is done: a commit waits between its tries. */
const driven = async <T>(env: ManualEnv, work: Promise<T>): Promise<T> => {
  let over = false
  const end = () => void (over = true)
  work.then(end, end)
  while (!over) await env.advance(100)
  return work
}

let made = 0
/** A name that no other test uses. */
const unique = (name: string) => `${name}-${(made += 1)}`

const entry = (env: ManualEnv, key: string, options: Partial<OutboxEntry> = {}): OutboxEntry => ({
  id: env.id(),
  type: 'counter.changed.v1',
  key,
  partition: partitionOf(key),
  data: '{}',
  at: env.now(),
  correlationId: 'correlation',
  ...options,
})

const message = (position: number, subject: string, partition = 0): Message => ({
  specversion: '1.0',
  id: `${subject}/${position}`,
  source: 'publisher',
  type: 'counter.changed.v1',
  subject,
  time: '2026-01-01T00:00:00.000Z',
  data: { n: position, text: 'Müller 🐆' },
  correlationid: 'correlation',
  partition,
  position,
})

const relayAll = async (store: Store) => {
  while ((await store.log.relay()).length > 0);
}
const headOf = async (store: Store, partition: number) =>
  (await store.log.heads()).find((at) => at.partition === partition)?.position ?? 0
const valueOf = (store: Store, key: string) =>
  store.read(async (r) => counters({ repositories: r }).value(key))
const pageOf = (store: Store, key: string) =>
  store.read(async (r) => pages({ repositories: r }).value(key))

/** The contract of the Store port. `open` makes an empty store with the suite's repositories. */
export const storeSuite = (name: string, open: () => Promise<StoreUnderTest>) => {
  const group = (title: string, tests: (at: At) => void) =>
    describe(title, () => {
      let system: StoreUnderTest | undefined
      // Making a database takes a server long when the machine is busy.
      beforeAll(async () => void (system = await open()), 60_000)
      afterAll(async () => system?.end(), 20_000)
      tests(() => {
        if (system === undefined) throw new Error('the store is not open')
        return { second: system.first, ...system }
      })
    })

  describe(`${name}: the store port`, () => {
    group('a step', (at) => {
      aCommit(at)
      supersededSteps(at)
      aggregateScope(at)
      rememberedReplies(at)
    })
    group('the log', published)
    group('retention', retention)
    group('subscriptions', (at) => {
      cursors(at)
      heldMessages(at)
    })
    group('jobs and hosts', (at) => {
      jobs(at)
      hosts(at)
    })
  })
}

const aCommit = (at: At) => {
  test('commits rows, event, reply and job together, and answers what the work answered', async () => {
    const { first, env } = at()
    const key = unique('all')
    const head = await headOf(first, partitionOf(key))
    const value = await first.commit(async (unit) => {
      unit.frame.remember(replyOf(key))
      unit.schedule.set({ name: key, key, dueAt: 5_000, data: '1' })
      unit.outbox.emit(entry(env, key))
      return counters(unit).add(key, 3)
    }, true)
    expect(value).toBe(3)
    expect(await valueOf(first, key)).toBe(3)
    expect(await first.replies.recall({ scope: 's', key })).toBeDefined()
    expect(await first.jobs.next([key])).toBe(5_000)
    await relayAll(first)
    expect(await headOf(first, partitionOf(key))).toBe(head + 1)
  })

  /** A step that does everything, and then fails by `fail`: none of it may be seen. */
  const leavesNothing = async (fail: (unit: Unit, key: string) => Promise<void> | void) => {
    const { first, env } = at()
    await relayAll(first)
    const [key, heads] = [unique('nothing'), await first.log.heads()]
    const error = await rejection(
      first.commit(async (unit) => {
        await counters(unit).add(key, 1)
        unit.frame.remember(replyOf(key))
        unit.schedule.set({ name: key, key, dueAt: 1, data: 'null' })
        unit.outbox.emit(entry(env, key))
        await fail(unit, key)
        await counters(unit).add(key, 1)
      }, true),
    )
    expect(await valueOf(first, key)).toBe(0)
    expect(await first.replies.recall({ scope: 's', key })).toBeUndefined()
    expect(await first.jobs.next([key])).toBeUndefined()
    await relayAll(first)
    expect(await first.log.heads()).toEqual(heads)
    return error
  }

  test('leaves nothing behind when its work throws, and rejects with what was thrown', async () => {
    const thrown = new Error('no')
    const error = await leavesNothing(() => Promise.reject(thrown))
    expect(error).toBe(thrown)
  })

  test('leaves nothing behind when a guard fails in the middle, and rejects with its problem', async () => {
    const error = await leavesNothing((unit, key) =>
      counters(unit).swap(key, 7, 8, NotEnough(undefined)),
    )
    expect(error).toMatchObject({ code: 'not-enough' })
  })

  test('does not commit when a failed guard is swallowed', async () => {
    const { first } = at()
    const key = unique('swallowed')
    const step = first.commit(async (unit) => {
      await counters(unit).add(key, 1)
      try {
        counters(unit).swap(key, 7, 8, NotEnough(undefined))
        await counters(unit).value(key)
      } catch {
        // As a handler might that takes the failure for its own business.
      }
    }, true)
    expect(await rejection(step)).toMatchObject({ code: 'not-enough' })
    expect(await valueOf(first, key)).toBe(0)
  })

  test('runs its work again when a guard says so, from the state before', async () => {
    const { first, env } = at()
    const [key, runs] = [unique('again'), [] as number[]]
    await relayAll(first)
    const head = await headOf(first, partitionOf(key))
    const step = first.commit(async (unit) => {
      runs.push(await counters(unit).add(key, 1))
      unit.outbox.emit(entry(env, key))
      counters(unit).swap(key, runs.length < 3 ? 9 : 1, 10, 'again')
    }, false)
    await driven(env, step)
    expect(runs).toEqual([1, 1, 1])
    expect(await valueOf(first, key)).toBe(10)
    await relayAll(first)
    expect(await headOf(first, partitionOf(key))).toBe(head + 1)
  })

  test('runs its work once when it fails in another way', async () => {
    const { first, env } = at()
    for (const refusable of [true, false])
      for (const fail of [
        () => Promise.reject(new Error('no')),
        async (unit: Unit) => counters(unit).swap(unique('none'), 1, 2, NotEnough(undefined)),
        async (unit: Unit) =>
          unit.frame.settleJob({ name: 'none', key: '', data: '', attempts: 0, holder: 'h' }),
      ]) {
        let runs = 0
        const step = first.commit((unit) => ((runs += 1), fail(unit)), refusable)
        await driven(env, rejection(step))
        expect(runs).toBe(1)
      }
  })

  test('gives up with `conflict` what others are always faster at', async () => {
    const { first, env } = at()
    let runs = 0
    const step = first.commit(async (unit) => {
      runs += 1
      counters(unit).swap(unique('never'), 1, 2, 'again')
    }, true)
    expect(await driven(env, rejection(step))).toMatchObject({ code: 'conflict', retryable: true })
    expect(runs).toBeGreaterThan(5)
  })

  test('loses no update of one row among many steps at once', async () => {
    const { first, second, env } = at()
    const key = unique('counter')
    const steps = Array.from({ length: 24 }, (_, n) =>
      (n % 2 ? first : second).commit((unit) => counters(unit).add(key, 1), false),
    )
    const values = await driven(env, Promise.all(steps))
    expect(values.toSorted((a, b) => a - b)).toEqual(values.map((_, n) => n + 1))
    expect(await valueOf(second, key)).toBe(24)
  })

  test('lets exactly one of many steps pass a guard', async () => {
    const { first, second, env } = at()
    const key = unique('swap')
    await first.commit((unit) => counters(unit).add(key, 1), false)
    const steps = Array.from({ length: 12 }, (_, n) =>
      rejection(
        (n % 2 ? first : second).commit(async (unit) => {
          counters(unit).swap(key, 1, 2, NotEnough(undefined))
          return 'passed'
        }, false),
      ),
    )
    const ends = await driven(env, Promise.all(steps))
    const passed = ends.filter((end) => (end as Error).message === 'resolved with "passed"')
    expect(passed).toHaveLength(1)
    expect(ends.filter((end) => (end as ServalError).code === 'not-enough')).toHaveLength(11)
  })

  test('a read cannot write', async () => {
    const { first } = at()
    const key = unique('read')
    const add = rejection(first.read(async (r) => counters({ repositories: r }).add(key, 1)))
    expect((await add) as Error).toBeInstanceOf(Error)
    expect(((await add) as Error).message).not.toContain('resolved')
    await expect(
      first.read(async (r) => counters({ repositories: r }).swap(key, 0, 1, 'again')),
    ).rejects.toThrow()
    expect(await valueOf(first, key)).toBe(0)
  })

  test('what is kept of a step cannot change anything after it', async () => {
    const { first } = at()
    const key = unique('late')
    let kept: Counters | undefined
    await first.commit(async (unit) => void (kept = counters(unit)), false)
    await expect(Promise.resolve().then(() => kept?.add(key, 1))).rejects.toThrow()
    expect(await valueOf(first, key)).toBe(0)
  })
}

const replyOf = (key: string, reply: Partial<RememberedReply> = {}): RememberedReply => ({
  scope: 's',
  key,
  inputHash: 'hash',
  status: 201,
  contentType: 'application/json',
  location: undefined,
  body: new Uint8Array(),
  expiresAt: 1_000_000,
  ...reply,
})

const claimAll = { partitions: Array.from({ length: partitionCount }, (_, p) => p), limit: 100 }

/** A subscription with a cursor at 0 in each partition. */
const subscribe = async (store: Store): Promise<SubscriptionId> => {
  const id = { subscription: unique('reader'), publisher: 'publisher' }
  await store.subscriptions.open(
    id,
    claimAll.partitions.map((partition) => ({ partition, position: 0 })),
  )
  return id
}
const moveTo = (id: SubscriptionId, to: number, key?: string): CursorMove => ({
  ...id, partition: 0, from: to - 1, to, key,
}) // prettier-ignore

/** Holds a message for each key, at positions 1, 2, 3 … of partition 0, due at `dueAt`. */
const hold = async (store: Store, keys: readonly string[], dueAt = 0, holder?: string) => {
  const id = await subscribe(store)
  await store.hosts.beat('h', 0, 1_000_000)
  for (const [index, key] of keys.entries())
    await store.subscriptions.held.put(moveTo(id, index + 1), message(index + 1, key), {
      dueAt, failures: 0, error: undefined, holder,
    }) // prettier-ignore
  const claim = async (given: {
    now: number
    holder: string
    until?: number
    from?: Store
    limit?: number
    partitions?: readonly number[]
  }) => {
    const { from = store, ...rest } = given
    const claimed = await from.subscriptions.held.claim(id, {
      ...claimAll,
      until: given.now + 1_000,
      ...rest,
    })
    return claimed.map((held) => held.position).sort((a, b) => a - b)
  }
  const heldAt = (position: number) => ({ ...id, partition: 0, position })
  return { id, claim, heldAt }
}

const supersededSteps = (at: At) => {
  const causes: Record<Superseded['by'], (store: Store) => Promise<(unit: Unit) => void>> = {
    reply: async () => {
      const reply = replyOf(unique('superseded'))
      return (unit) => unit.frame.remember(reply)
    },
    cursor: async (store) => {
      const id = await subscribe(store)
      return (unit) => unit.frame.moveCursor(moveTo(id, 1, 'k'))
    },
    held: async (store) => {
      const { heldAt } = await hold(store, ['k'])
      return (unit) => unit.frame.settleHeld(heldAt(1))
    },
    job: async (store) => {
      const name = unique('job')
      await store.jobs.ensure(name, 0)
      const [job] = await store.jobs.claim([name], 1, 1_000, 'host')
      if (job === undefined) throw new Error('the job was not claimed')
      return (unit) => unit.frame.settleJob(job)
    },
  }
  for (const [by, cause] of Object.entries(causes))
    test(`a second step for the same ${by} is superseded, and leaves nothing behind`, async () => {
      const { first, second, env } = at()
      const [settle, key] = [await cause(first), unique(by)]
      const step = (store: Store) =>
        driven(
          env,
          store.commit(async (unit) => {
            await counters(unit).add(key, 1)
            unit.outbox.emit(entry(env, key))
            settle(unit)
            unit.schedule.set({
              name: key,
              key,
              dueAt: (await counters(unit).value(key)) * 10,
              data: 'null',
            })
          }, true),
        )
      await relayAll(first)
      const before = await headOf(first, partitionOf(key))
      const both = await Promise.all([step(first), step(second)].map(supersededBy))
      expect(both.filter((end) => end === by)).toHaveLength(1)
      expect(await supersededBy(step(second))).toBe(by)
      expect(await valueOf(second, key)).toBe(1)
      expect(await second.jobs.next([key])).toBe(10)
      await relayAll(first)
      expect(await headOf(first, partitionOf(key))).toBe(before + 1)
    })
}

const aggregateScope = (at: At) => {
  const refused = (work: (unit: Unit) => Promise<unknown> | unknown) =>
    rejection(at().first.commit(async (unit) => work(unit), false))

  test('a step changes one aggregate, in as many repositories as it likes', async () => {
    const { first } = at()
    const key = unique('page')
    await first.commit(async (unit) => {
      pages(unit).touch(key)
      pages(unit).write(key, 1)
      covers(unit).touch(key)
      expect(await covers(unit).writeAndAnswer(`${key}/2`, 2)).toBe(2)
    }, false)
    expect([await pageOf(first, key), await pageOf(first, `${key}/2`)]).toEqual([1, 2])
  })

  test('a step that touches two aggregates throws, and commits nothing', async () => {
    const [one, other] = [unique('page'), unique('page')]
    for (const second of [pages, covers]) {
      const error = await refused((unit) => {
        pages(unit).touch(one)
        pages(unit).write(one, 1)
        second(unit).touch(other)
        second(unit).write(other, 1)
      })
      expect(error).toMatchObject({ code: 'two-aggregates' })
    }
    expect(await pageOf(at().first, one)).toBeUndefined()
  })

  test('a second aggregate stays untouched when the refusal is swallowed', async () => {
    const [one, other] = [unique('page'), unique('page')]
    await refused((unit) => {
      pages(unit).touch(one)
      try {
        pages(unit).touch(other)
      } catch {
        // And on it goes.
      }
      pages(unit).write(other, 1)
    })
    expect(await pageOf(at().first, other)).toBeUndefined()
  })

  test('a write before the aggregate is named throws, in whatever way it writes', async () => {
    const key = unique('page')
    expect(await refused((unit) => pages(unit).write(key, 1))).toMatchObject({
      code: 'two-aggregates',
    })
    expect(await refused((unit) => pages(unit).writeAndAnswer(key, 1))).toMatchObject({
      code: 'two-aggregates',
    })
    expect(await pageOf(at().first, key)).toBeUndefined()
  })

  test('anything may be read, and repositories of scope `service` go their own way', async () => {
    const key = unique('page')
    await at().first.commit(async (unit) => {
      expect(await pages(unit).value(key)).toBeUndefined()
      await counters(unit).add(key, 1)
      await counters(unit).add(`${key}/2`, 1)
    }, false)
    expect(await valueOf(at().first, key)).toBe(1)
  })
}

const rememberedReplies = (at: At) => {
  test('a reply comes back as it went, byte for byte', async () => {
    const { first, second } = at()
    const bodies = [Uint8Array.from({ length: 256 }, (_, byte) => byte), new Uint8Array()]
    for (const body of bodies)
      for (const location of ['/orders/1?a=Müller', undefined]) {
        const reply = replyOf(unique('reply'), {
          body,
          location,
          contentType: 'text/plain; charset=utf-8',
        })
        await first.commit(async (unit) => unit.frame.remember(reply), true)
        const recalled = await second.replies.recall(reply)
        expect({ ...recalled, body: [...(recalled?.body ?? [])] }).toEqual({
          ...reply,
          body: [...body],
        })
        expect(recalled?.body).toBeInstanceOf(Uint8Array)
      }
  })

  test('a key is of its scope; one that was not used is unknown', async () => {
    const { first } = at()
    const reply = replyOf(unique('reply'))
    await first.commit(async (unit) => unit.frame.remember(reply), true)
    expect(await first.replies.recall({ scope: 'another', key: reply.key })).toBeUndefined()
    expect(await first.replies.recall({ scope: 's', key: unique('reply') })).toBeUndefined()
  })

  test('of many at once the first is remembered, and the others are superseded', async () => {
    const { first, second, env } = at()
    const key = unique('reply')
    const steps = Array.from({ length: 10 }, (_, n) =>
      supersededBy(
        (n % 2 ? first : second).commit(async (unit) => {
          await counters(unit).add(`${key}/${n}`, 1)
          unit.frame.remember(replyOf(key, { status: 200 + n }))
          return n
        }, true),
      ),
    )
    const ends = await driven(env, Promise.all(steps))
    const winners = ends.flatMap((end, n) => (end === 'reply' ? [] : [n]))
    expect(winners).toHaveLength(1)
    const recalled = await first.replies.recall({ scope: 's', key })
    expect(recalled?.status).toBe(200 + (winners[0] ?? -1))
    const values = await Promise.all(ends.map((_, n) => valueOf(first, `${key}/${n}`)))
    expect(values.map((value, n) => (value === 1 ? n : -1)).filter((n) => n >= 0)).toEqual(winners)
  })

  test('pruning forgets what expired, and answers how many', async () => {
    const { first } = at()
    await first.replies.prune(5_000)
    const [old, young] = [
      replyOf(unique('old'), { expiresAt: 5_000 }),
      replyOf(unique('young'), { expiresAt: 5_001 }),
    ]
    for (const reply of [old, young])
      await first.commit(async (unit) => unit.frame.remember(reply), true)
    expect(await first.replies.prune(5_001)).toBe(1)
    expect(await first.replies.recall(old)).toBeUndefined()
    expect(await first.replies.recall(young)).toMatchObject({ key: young.key })
    await first.commit(async (unit) => unit.frame.remember(old), true)
  })
}

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
      unit.outbox.emit(
        entry(env, key, { partition, data: JSON.stringify({ n }), at: times[n] ?? env.now() }),
      )
  }, false)
  await relayAll(store)
}
const subjects = async (store: Store, after: readonly Position[], limit = 1_000) =>
  (await store.log.read(after, limit)).map(
    (one) => `${one.partition}/${one.position}:${one.subject}`,
  )

const published = (at: At) => {
  test('an empty outbox makes no partition grow; every partition has a head', async () => {
    expect(await at().first.log.relay()).toEqual([])
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
    await first.commit(async (unit) => unit.outbox.emit(emitted), false)
    expect(await subjects(first, [{ partition: 1, position: 0 }])).toEqual([])
    expect(await second.log.relay()).toEqual([1])
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

  test('a reader can do to a message what it likes: the log keeps its own', async () => {
    const { first, env } = at()
    await publish(first, env, 6, ['a'])
    const from = [{ partition: 6, position: 0 }]
    const [read] = await first.log.read(from, 1)
    ;(read?.data as { n: number }).n = 99
    expect((await first.log.read(from, 1))[0]?.data).toEqual({ n: 0 })
  })

  test('many messages of one step keep their order', async () => {
    const { first, env } = at()
    const keys = Array.from({ length: 1_100 }, (_, n) => `k${n}`)
    await publish(first, env, 7, keys)
    const read = await first.log.read([{ partition: 7, position: 0 }], 2_000)
    expect(read.map((one) => one.subject)).toEqual(keys)
  })

  test('the order of a key is the order of its commits, with two relays and many steps at once', async () => {
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
        let over = false
        const relays = stores.map(async ({ log }) => {
          while (!over) if ((await log.relay()).length === 0) await turn()
        })
        const commits = plan.map(async ({ key, store, fails, pause }) => {
          for (let n = 0; n < pause; n++) await turn()
          const commit = stores[store]?.commit(async (unit) => {
            const version = await counters(unit).add(`${run}${key}`, 1)
            unit.outbox.emit(entry(env, `${run}${key}`, { data: JSON.stringify({ version }) }))
            if (fails) throw NotEnough(undefined)
          }, false)
          await commit?.catch((error: unknown) =>
            expect(error).toMatchObject({ code: 'not-enough' }),
          )
        })
        await driven(env, Promise.all(commits))
        over = true
        await Promise.all(relays)
        await relayAll(second)

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

const retention = (at: At) => {
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

const cursors = (at: At) => {
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

const heldMessages = (at: At) => {
  test('holding moves the cursor; whoever comes second holds nothing', async () => {
    const { first, second } = at()
    const { id, claim } = await hold(first, ['a'])
    expect((await first.subscriptions.positions(id))[0]?.position).toBe(1)
    const put = second.subscriptions.held.put(moveTo(id, 1), message(1, 'a'), {
      dueAt: 0, failures: 0, error: undefined, holder: undefined,
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
    expect(held).toMatchObject({ position: 1, failures: 2, error: 'why', parked: false })
  })

  /** A parked message of key `a`, with another behind it. */
  const park = async (store: Store) => {
    const holding = await hold(store, ['a', 'a', 'b'])
    const failed = { dueAt: 1, failures: 5, error: 'why', parked: true }
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

const jobs = (at: At) => {
  const claim = (
    name: string,
    now: number,
    holder = 'host',
    store = at().first,
    until = now + 1_000,
  ) => store.jobs.claim([name], now, until, holder)
  const schedule = (name: string, key: string, dueAt: number, data = 'null') =>
    at().first.commit(async (unit) => unit.schedule.set({ name, key, dueAt, data }), false)

  test('a recurring job is there once, at its first time', async () => {
    const { first, second } = at()
    const name = unique('job')
    await first.jobs.ensure(name, 100)
    await second.jobs.ensure(name, 50)
    expect(await first.jobs.next([name])).toBe(100)
    expect(await claim(name, 99)).toEqual([])
    expect(await claim(name, 100)).toEqual([
      { name, key: '', data: 'null', attempts: 0, holder: 'host' },
    ])
  })

  test('of a name and key one job waits: a later call moves it and replaces its data', async () => {
    const name = unique('job')
    await schedule(name, 'a', 10, '{"n":1}')
    await schedule(name, 'a', 20, '{"n":2}')
    await schedule(name, 'b', 30)
    expect(await claim(name, 19)).toEqual([])
    expect(await claim(name, 20)).toMatchObject([{ key: 'a', data: '{"n":2}' }])
    await at().first.commit(async (unit) => unit.schedule.drop(name, 'b'), false)
    expect(await claim(name, 1_000, 'other')).not.toContainEqual(
      expect.objectContaining({ key: 'b' }),
    )
  })

  test('only jobs of the names asked are claimed', async () => {
    const name = unique('job')
    await schedule(name, 'a', 0)
    expect(await at().first.jobs.claim([unique('job')], 1, 2, 'host')).toEqual([])
    expect(await at().first.jobs.next([unique('job')])).toBeUndefined()
    expect(await at().first.jobs.claim([unique('job'), name], 1, 2, 'host')).toHaveLength(1)
  })

  test('hosts that claim at once run a job once', async () => {
    const { first, second, env } = at()
    const name = unique('job')
    await first.hosts.beat('one', 1, 1_000)
    await first.hosts.beat('two', 1, 1_000)
    for (const key of ['a', 'b', 'c']) await schedule(name, key, 0)
    const claims = Array.from({ length: 8 }, (_, n) =>
      n % 2 ? claim(name, 1, 'one', first) : claim(name, 1, 'two', second),
    )
    const claimed = (await driven(env, Promise.all(claims))).flat().map((job) => job.key)
    const rest = await claim(name, 1, 'one')
    expect([...claimed, ...rest.map((job) => job.key)].sort()).toEqual(['a', 'b', 'c'])
    await first.hosts.reset()
  })

  test('another host takes a job over when its lease is over, or its holder gone', async () => {
    const { first, second } = at()
    const name = unique('job')
    await schedule(name, 'a', 0)
    await first.hosts.beat('one', 1, 100)
    const [lost] = await claim(name, 1, 'one', first, 40)
    expect(await claim(name, 40, 'two', second)).toEqual([])
    expect(await claim(name, 41, 'two', second, 1_000)).toHaveLength(1)
    await second.hosts.beat('two', 41, 60)
    expect(await claim(name, 59, 'one')).toEqual([])
    const [taken] = await claim(name, 60, 'one')
    if (lost === undefined || taken === undefined) throw new Error('the job was not claimed')
    await second.commit(async (unit) => unit.frame.settleJob(taken), true)
    expect(await supersededBy(first.commit(async (unit) => unit.frame.settleJob(lost), true))).toBe(
      'job',
    )
    await first.hosts.reset()
  })

  test('a settled job is gone, a recurring one comes again', async () => {
    const { first } = at()
    const name = unique('job')
    for (const nextAt of [500, undefined]) {
      await first.jobs.ensure(name, 1)
      const [job] = await claim(name, 1_000)
      if (job === undefined) throw new Error('the job was not claimed')
      expect(await first.jobs.next([name])).toBeUndefined()
      await first.commit(async (unit) => unit.frame.settleJob(job, nextAt), true)
      expect(await first.jobs.next([name])).toBe(nextAt)
    }
  })

  test('a try that failed is counted, and made again at its time', async () => {
    const { first } = at()
    const name = unique('job')
    await first.hosts.beat('host', 1, 1_000)
    await schedule(name, 'a', 0)
    const [job] = await claim(name, 1)
    if (job === undefined) throw new Error('the job was not claimed')
    await first.jobs.failed(job, 70, 'why')
    expect(await claim(name, 69)).toEqual([])
    const [again] = await claim(name, 70)
    expect(again).toEqual({ ...job, attempts: 1 })
    // The first run ends at last: it is not the one that counts any more.
    await first.jobs.failed(job, 0, 'late')
    expect(await supersededBy(first.commit(async (unit) => unit.frame.settleJob(job), true))).toBe(
      'job',
    )
    expect(await claim(name, 71, 'other')).toEqual([])
    await first.hosts.reset()
  })

  test('the next job is the earliest that nobody holds', async () => {
    const { first } = at()
    const [one, other] = [unique('job'), unique('job')]
    await schedule(one, 'a', 300)
    await schedule(one, 'b', 100)
    await schedule(other, 'a', 200)
    expect(await first.jobs.next([one, other])).toBe(100)
    await claim(one, 150)
    expect(await first.jobs.next([one, other])).toBe(200)
    expect(await first.jobs.next([one])).toBe(300)
  })

  test('a job can set itself again in its own step', async () => {
    const { first } = at()
    const name = unique('job')
    await schedule(name, 'a', 0, '{"n":1}')
    for (const n of [1, 2, 3]) {
      const [job] = await claim(name, n * 10)
      if (job === undefined) throw new Error('the job was not claimed')
      expect(job).toMatchObject({ data: `{"n":${n}}`, attempts: 0 })
      await first.commit(async (unit) => {
        unit.schedule.set({ name, key: 'a', dueAt: (n + 1) * 10, data: `{"n":${n + 1}}` })
        unit.frame.settleJob(job)
      }, true)
      expect(await first.jobs.next([name])).toBe((n + 1) * 10)
    }
  })

  test('a job that was set again while it ran supersedes that run', async () => {
    const { first } = at()
    const name = unique('job')
    await schedule(name, 'a', 0)
    const [job] = await claim(name, 1)
    if (job === undefined) throw new Error('the job was not claimed')
    await schedule(name, 'a', 90)
    expect(await supersededBy(first.commit(async (unit) => unit.frame.settleJob(job), true))).toBe(
      'job',
    )
    expect(await first.jobs.next([name])).toBe(90)
  })
}

const hosts = (at: At) => {
  test('a beat answers the hosts alive, in one order for all', async () => {
    const { first, second } = at()
    await first.hosts.reset()
    expect(await first.hosts.beat('b', 1, 100)).toEqual(['b'])
    expect(await second.hosts.beat('a', 2, 50)).toEqual(['a', 'b'])
    expect(await first.hosts.beat('b', 60, 160)).toEqual(['b'])
    expect(await second.hosts.beat('a', 61, 161)).toEqual(['a', 'b'])
  })

  test('a host that left is gone at once; a reset forgets all', async () => {
    const { first, second } = at()
    await first.hosts.reset()
    await first.hosts.beat('a', 1, 100)
    await second.hosts.beat('b', 1, 100)
    await second.hosts.leave('b')
    await second.hosts.leave('never')
    expect(await first.hosts.beat('a', 2, 100)).toEqual(['a'])
    await first.hosts.reset()
    expect(await second.hosts.beat('b', 3, 100)).toEqual(['b'])
  })
}
