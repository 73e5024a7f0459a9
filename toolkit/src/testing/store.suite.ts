import { afterAll, beforeAll, describe } from 'vitest'
import type { At, StoreUnderTest } from './store/fixture.suite.ts'
import { hosts, jobs } from './store/jobs.suite.ts'
import { published, retention } from './store/log.suite.ts'
import { aCommit, aggregateScope, rememberedReplies, supersededSteps } from './store/step.suite.ts'
import { cursors, heldMessages } from './store/subscriptions.suite.ts'

export { storeSuiteRepositories } from './store/fixture.suite.ts'
export type { Counters, Pages, StoreUnderTest } from './store/fixture.suite.ts'

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
