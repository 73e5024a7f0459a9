import { expect, test } from 'vitest'
import type { ServalError } from '../../base/failure.ts'
import { partitionOf } from '../../events/partition.ts'
import { type Superseded, type Store, type Unit } from '../../store/store.ts'
import {
  type At,
  type Counters,
  NotEnough,
  counters,
  covers,
  driven,
  entry,
  headOf,
  hold,
  moveTo,
  pageOf,
  pages,
  rejection,
  replyOf,
  subscribe,
  supersededBy,
  unique,
  valueOf,
} from './fixture.suite.ts'

export const aCommit = (at: At) => {
  test('commits rows, event, reply and job together, and answers what the work answered', async () => {
    const { first, env } = at()
    const key = unique('all')
    const head = await headOf(first, partitionOf(key))
    const value = await first.commit(async (unit) => {
      unit.frame.remember(replyOf(key))
      unit.schedule.set({ name: key, key, dueAt: 5_000, data: '1' })
      unit.emit(entry(env, key))
      return counters(unit).add(key, 3)
    }, true)
    expect(value).toBe(3)
    expect(await valueOf(first, key)).toBe(3)
    expect(await first.replies.recall({ scope: 's', key })).toBeDefined()
    expect(await first.jobs.next([key])).toBe(5_000)
    expect(await headOf(first, partitionOf(key))).toBe(head + 1)
  })

  /** A step that does everything, and then fails by `fail`: none of it may be seen. */
  const leavesNothing = async (fail: (unit: Unit, key: string) => Promise<void> | void) => {
    const { first, env } = at()
    const [key, heads] = [unique('nothing'), await first.log.heads()]
    const error = await rejection(
      first.commit(async (unit) => {
        await counters(unit).add(key, 1)
        unit.frame.remember(replyOf(key))
        unit.schedule.set({ name: key, key, dueAt: 1, data: 'null' })
        unit.emit(entry(env, key))
        await fail(unit, key)
        await counters(unit).add(key, 1)
      }, true),
    )
    expect(await valueOf(first, key)).toBe(0)
    expect(await first.replies.recall({ scope: 's', key })).toBeUndefined()
    expect(await first.jobs.next([key])).toBeUndefined()
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
    const head = await headOf(first, partitionOf(key))
    const step = first.commit(async (unit) => {
      runs.push(await counters(unit).add(key, 1))
      unit.emit(entry(env, key))
      counters(unit).swap(key, runs.length < 3 ? 9 : 1, 10, 'again')
    }, false)
    await driven(env, step)
    expect(runs).toEqual([1, 1, 1])
    expect(await valueOf(first, key)).toBe(10)
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

  const fails = (promise: Promise<unknown>) => promise.then(() => false, () => true) // prettier-ignore

  test('a read cannot write', async () => {
    const { first } = at()
    const key = unique('read')
    const read = (work: (own: Counters) => unknown) =>
      first.read(async (repositories) => work(counters({ repositories })))
    expect(await fails(read((own) => own.add(key, 1)))).toBe(true)
    expect(await fails(read((own) => own.swap(key, 0, 1, 'again')))).toBe(true)
    expect(await valueOf(first, key)).toBe(0)
  })

  test('what is kept of a step cannot change anything after it', async () => {
    const { first } = at()
    const key = unique('late')
    let kept: Counters | undefined
    await first.commit(async (unit) => void (kept = counters(unit)), false)
    expect(await fails(Promise.resolve().then(() => kept?.add(key, 1)))).toBe(true)
    expect(await valueOf(first, key)).toBe(0)
  })
}

export const supersededSteps = (at: At) => {
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
            unit.emit(entry(env, key))
            settle(unit)
            unit.schedule.set({
              name: key,
              key,
              dueAt: (await counters(unit).value(key)) * 10,
              data: 'null',
            })
          }, true),
        )
      const before = await headOf(first, partitionOf(key))
      const both = await Promise.all([step(first), step(second)].map(supersededBy))
      expect(both.filter((end) => end === by)).toHaveLength(1)
      expect(await supersededBy(step(second))).toBe(by)
      expect(await valueOf(second, key)).toBe(1)
      expect(await second.jobs.next([key])).toBe(10)
      expect(await headOf(first, partitionOf(key))).toBe(before + 1)
    })
}

export const aggregateScope = (at: At) => {
  const refused = (work: (unit: Unit) => unknown) =>
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

export const rememberedReplies = (at: At) => {
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

  test('a step forgets all replies of the scopes that it names, and no others, when it commits', async () => {
    const { first, second } = at()
    const [one, other, kept] = [unique('scope'), unique('scope'), unique('scope')]
    const replies = [one, one, other, kept].map((scope) => replyOf(unique('reply'), { scope }))
    for (const reply of replies)
      await first.commit(async (unit) => unit.frame.remember(reply), true)
    const found = async () => {
      const scopes: string[] = []
      for (const reply of replies)
        if ((await second.replies.recall(reply)) !== undefined) scopes.push(reply.scope)
      return scopes
    }
    await rejection(
      first.commit(async (unit) => {
        unit.forgetReplies([one, other])
        throw new Error('no')
      }, true),
    )
    expect(await found()).toEqual([one, one, other, kept])
    const own = replyOf(unique('reply'), { scope: one })
    await first.commit(async (unit) => {
      unit.forgetReplies([one, other])
      unit.frame.remember(own)
    }, true)
    expect(await found()).toEqual([kept])
    expect(await second.replies.recall(own)).toMatchObject({ key: own.key })
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
