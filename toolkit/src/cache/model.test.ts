import fc from 'fast-check'
import { test } from 'vitest'
import { failure } from '../base/failure.ts'
import { memoryCache } from '../engines/memory-cache/index.ts'
import { logger } from '../telemetry/log.ts'
import { manualEnv } from '../testing/manual-env.ts'
import { openCaches } from './caches.ts'
import type { Cached } from './service-cache.ts'

/*
 * Reads, changes with their purges, steps of the clock, and fills that end in any order, well or not. The truth is a number for each
 * item, raised by each change. What must never be seen: a value from before the last purge of its tag, by anybody who asked after
 * that purge; a value past its time, unless it was being made while the reader waited; a stale one where none may stand in.
 */

const items = ['a', 'b', 'c'] as const
type Item = (typeof items)[number]
const ttlMs = 100
const staleForMs = 150

interface RunningFill {
  readonly missing: readonly string[]
  /** What it has read: a fill sees the truth as it begins. */
  readonly seen: ReadonlyMap<string, Version>
  settle(how: 'well' | 'away' | 'wrong'): void
}

interface Version {
  readonly item: string
  readonly number: number
  readonly readAt: number
}

const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant('read' as const), item: fc.constantFrom(...items) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('readMany' as const),
      items: fc.subarray([...items], { minLength: 1 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('settle' as const),
      which: fc.nat(9),
      how: fc.constantFrom('well' as const, 'well' as const, 'away' as const, 'wrong' as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('change' as const), item: fc.constantFrom(...items) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('dropAll' as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('advance' as const),
      ms: fc.oneof(fc.integer({ min: 1, max: 260 }), fc.constantFrom(99, 100, 249, 250)),
    }),
  },
)

const settled = async () => {
  for (let n = 0; n < 30; n++) await Promise.resolve()
}

test('nothing is read that is older than the last purge, or than its time', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60 }), async (steps) => {
      let now = 1_000_000
      const env = { ...manualEnv(), now: () => now }
      const log = logger({ env, write: () => undefined })
      const caches = await openCaches({ env, log, engine: memoryCache({ maxEntries: 2 }) })
      const cache = caches.of('shop')
      const truth = new Map<string, number>(items.map((item) => [item, 0]))
      const running: RunningFill[] = []
      const ended: {
        readonly items: readonly string[]
        readonly at: number
        readonly how: string
      }[] = []
      const wrong: string[] = []

      const fill = (missing: readonly string[]): Promise<Map<string, Version>> => {
        const { promise, resolve, reject } = Promise.withResolvers<Map<string, Version>>()
        const read = (item: string) => ({ item, number: truth.get(item) ?? -1, readAt: now })
        const seen = new Map(missing.map((item) => [item, read(item)]))
        running.push({
          missing,
          seen,
          settle: (how) => {
            ended.push({ items: missing, at: now, how })
            if (how === 'well') resolve(seen)
            else reject(how === 'away' ? failure('unavailable') : new Error('wrong'))
          },
        })
        return promise
      }
      /** Asked at this moment: what was true by the last purge must be in the answer. */
      const check =
        (item: Item, asked: { at: number; number: number; ended: number }) =>
        ({ value, age, stale }: Cached<Version>) => {
          const during = ended.slice(asked.ended).filter((one) => one.items.includes(item))
          const told = `${item}: ${JSON.stringify({ value, age, stale, asked, now })}`
          if (value.item !== item) wrong.push(`of another item, ${told}`)
          if (value.number < asked.number) wrong.push(`from before a purge, ${told}`)
          if (age !== now - value.readAt) wrong.push(`of a wrong age, ${told}`)
          if (stale) {
            if (age < ttlMs || age >= ttlMs + staleForMs) wrong.push(`stale at that age, ${told}`)
            if (!during.some(({ how }) => how === 'away')) wrong.push(`stale for nothing, ${told}`)
            if (value.number < (truth.get(item) ?? 0)) wrong.push(`stale after a purge, ${told}`)
          } else if (age >= ttlMs && !during.some(({ how }) => how === 'well'))
            wrong.push(`past its time, ${told}`)
        }
      const asking = (item: Item) => ({
        at: now,
        number: truth.get(item) ?? 0,
        ended: ended.length,
      })
      const options = { ttl: ttlMs, staleFor: staleForMs }

      for (const one of steps) {
        if (one.do === 'read') {
          const { item } = one
          const filled = async () => (await fill([item])).get(item) as Version
          cache
            .read(item, { ...options, tags: [item, 'every'] }, filled)
            .then(check(item, asking(item)), () => undefined)
        }
        if (one.do === 'readMany') {
          const asked = new Map(one.items.map((item) => [item, asking(item)]))
          cache.readMany(one.items, { ...options, tags: (item) => [item, 'every'] }, fill).then(
            (answers) => {
              if (answers.size !== asked.size) wrong.push('an item is missing')
              for (const [item, about] of asked) {
                const answer = answers.get(item)
                if (answer !== undefined) check(item, about)(answer)
              }
            },
            () => undefined,
          )
        }
        if (one.do === 'settle' && running.length > 0)
          running.splice(one.which % running.length, 1)[0]?.settle(one.how)
        if (one.do === 'change') {
          truth.set(one.item, (truth.get(one.item) ?? 0) + 1)
          await caches.purge([`shop/${one.item}`])
        }
        if (one.do === 'dropAll') {
          for (const [item, number] of truth) truth.set(item, number + 1)
          await caches.purge(['shop/every'])
        }
        if (one.do === 'advance') now += one.ms
        await settled()
      }
      for (const one of running) one.settle('well')
      await settled()
      if (wrong.length > 0) throw new Error(wrong.join('\n'))
    }),
    { numRuns: 2000 },
  )
})
