import fc from 'fast-check'
import { test } from 'vitest'
import { failure } from '../base/failure.ts'
import type { HttpReply } from '../link/http.ts'
import { manualEnv } from '../testing/manual-env.ts'
import { cacheUnderTest, NoSuchBook, reply, textOf } from './response-cache.suite.ts'

/*
 * Requests, changes with their purges, steps of the clock, and fills that end in any order, well or not. The truth is a number for
 * each book, raised by each change. What must never be seen: a reply from before the last purge, by anybody who asked after it; one
 * past its time and its stale time, unless it was being made while the client waited; one fill too many for a key.
 */

const isbns = ['A', 'B', 'C'] as const
const [ttlMs, staleMs] = [60_000, 10_000]

interface Told {
  readonly isbn: string
  readonly number: number
  readonly readAt: number
}

const ways = ['well', 'well', 'well', 'away', 'gone', 'private'] as const
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('ask' as const),
      isbn: fc.constantFrom(...isbns),
      leaves: fc.constantFrom(false, false, false, true),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('settle' as const),
      which: fc.nat(9),
      how: fc.constantFrom(...ways),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('change' as const), isbn: fc.constantFrom(...isbns) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('changeAll' as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('advance' as const),
      ms: fc.oneof(
        fc.integer({ min: 1, max: 80_000 }),
        fc.constantFrom(999, 59_999, 60_000, 69_999, 70_000),
      ),
    }),
  },
)

const settled = async () => {
  for (let n = 0; n < 40; n++) await Promise.resolve()
}

test('no reply is older than the last purge, or than its time', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60 }), async (steps) => {
      let now = 1_000_000
      const truth = new Map<string, number>(isbns.map((isbn) => [isbn, 0]))
      const running: { isbn: string; told: Told; settle(how: (typeof ways)[number]): void }[] = []
      const ended: { readonly told: Told; readonly how: string }[] = []
      const wrong: string[] = []
      const { cache, ask } = cacheUnderTest({
        env: { ...manualEnv(), now: () => now },
        maxEntries: 2,
        answer: ({ parameters }) => {
          const isbn = parameters?.['isbn'] ?? ''
          const told = { isbn, number: truth.get(isbn) ?? -1, readAt: now }
          const { promise, resolve, reject } = Promise.withResolvers<HttpReply>()
          const settle = (how: (typeof ways)[number]) => {
            ended.push({ told, how })
            const more: Record<string, string> = how === 'private' ? { 'cache-control': how } : {}
            if (how === 'away') reject(failure('unavailable'))
            else if (how === 'gone') reject(NoSuchBook(undefined))
            else resolve(reply(JSON.stringify(told), more))
          }
          running.push({ isbn, told, settle })
          return promise
        },
      })
      const check = (isbn: string, asked: { number: number; ended: number }, said: HttpReply) => {
        const told = JSON.parse(textOf(said)) as Told
        const status = String(said.headers['cache-status'])
        const about = `${status} ${JSON.stringify({ isbn, told, asked, now })}`
        if (told.isbn !== isbn) wrong.push(`another book: ${about}`)
        if (told.number < asked.number) wrong.push(`from before a purge: ${about}`)
        const age = now - told.readAt
        if (status.includes('hit')) {
          if (age >= ttlMs + staleMs) wrong.push(`past its time: ${about}`)
          if (told.number < (truth.get(isbn) ?? 0)) wrong.push(`a hit after a purge: ${about}`)
          if (status !== `serval; hit; ttl=${Math.floor((ttlMs - age) / 1000)}`)
            wrong.push(`a wrong ttl: ${about}`)
          if (said.headers['age'] !== `${Math.floor(age / 1000)}`)
            wrong.push(`a wrong age: ${about}`)
        } else if (!ended.slice(asked.ended).some((one) => one.told.readAt === told.readAt))
          wrong.push(`made by nobody meanwhile: ${about}`)
      }

      for (const one of steps) {
        if (one.do === 'ask') {
          const { isbn } = one
          const asked = { number: truth.get(isbn) ?? 0, ended: ended.length }
          const client = new AbortController()
          ask({ target: `/books/${isbn}`, signal: client.signal }).then(
            (said) => check(isbn, asked, said),
            () => undefined,
          )
          if (one.leaves) client.abort()
        }
        if (one.do === 'settle' && running.length > 0)
          running.splice(one.which % running.length, 1)[0]?.settle(one.how)
        if (one.do === 'change') {
          truth.set(one.isbn, (truth.get(one.isbn) ?? 0) + 1)
          cache.drop([`books/book:${one.isbn}`])
        }
        if (one.do === 'changeAll') {
          for (const [isbn, number] of truth) truth.set(isbn, number + 1)
          cache.drop(['books/books'])
        }
        if (one.do === 'advance') now += one.ms
        await settled()
      }
      while (running.length > 0) {
        running.pop()?.settle('well')
        await settled()
      }
      if (wrong.length > 0) throw new Error(wrong.join('\n'))
    }),
    { numRuns: 1_000 },
  )
})
