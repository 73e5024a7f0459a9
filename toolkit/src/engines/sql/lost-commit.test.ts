import { afterAll, expect, test } from 'vitest'
import { asFailure } from '../../base/failure.ts'
import { manualEnv } from '../../testing/manual-env.ts'
import { counters } from '../../testing/store/fixture.suite.ts'
import { pglite } from '../pglite/index.ts'
import { SqlError, type SqlServer } from './database.ts'
import { sqlStores } from './index.ts'
import { sqlSuiteRepositories } from './store.suite.ts'

/*
 * A step whose commit gets no answer, on a database that is made to lose its connections.
 */

const embedded = pglite()
afterAll(() => embedded.close())

const broken = (outcome: SqlError['outcome']) =>
  new SqlError('the connection broke', { sqlState: '', outcome })

/** `after`: the transaction is committed, and its answer is lost; `before`: the server cannot be reached. */
type Breaks = 'after' | 'before' | 'never'

/** A store whose next transactions go so; those that follow are well. */
const storeThat = async (service: string, next: readonly Breaks[]) => {
  let ways: readonly Breaks[] = []
  const server: SqlServer = {
    ...embedded,
    open: async (name) => {
      const database = await embedded.open(name)
      return {
        ...database,
        transaction: async (work) => {
          const [way = 'never', ...rest] = ways
          ways = rest
          if (way === 'before') throw broken('rolled-back')
          const value = await database.transaction(work)
          if (way === 'after') throw broken('unknown')
          return value
        },
      }
    },
  }
  const store = await sqlStores(server).open(service, sqlSuiteRepositories, manualEnv())
  ways = next
  return store
}

/** Counts from 0 on: nothing of this step would refuse a second run, so that one can be seen. */
const counted = async (service: string, next: readonly Breaks[], refusable: boolean) => {
  const store = await storeThat(service, next)
  let runs = 0
  const step = store.commit(async (unit) => {
    runs += 1
    return counters(unit).add('a', 1)
  }, refusable)
  const outcome = await step.then(
    (value) => value,
    (error: unknown) => asFailure(error).code,
  )
  return { runs, outcome }
}

test('runs again only where a second run would be refused', async () => {
  expect(await counted('again', ['after'], true)).toEqual({ runs: 2, outcome: 2 })
  expect(await counted('once', ['after'], false)).toEqual({ runs: 1, outcome: 'unknown-outcome' })
})

test('is not said to have failed when the database cannot be asked any more', async () => {
  expect(await counted('gone', ['after', 'before'], true)).toEqual({
    runs: 1,
    outcome: 'unknown-outcome',
  })
  expect(await counted('never', ['before'], true)).toEqual({
    runs: 0,
    outcome: 'store-unavailable',
  })
})
