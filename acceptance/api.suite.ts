import { test } from 'vitest'
import { accountSuite } from './suites/account.suite.ts'
import { catalogSuite } from './suites/catalog.suite.ts'
import { conventionsSuite } from './suites/conventions.suite.ts'
import { ordersSuite } from './suites/orders.suite.ts'
import { signInSuite } from './suites/sign-in.suite.ts'
import { openWorld, type Place } from './world.ts'

/** Every row and convention of the public API, failures included, against a shop that runs somewhere. */
export const apiSuite = async (place: Place): Promise<void> => {
  const world = await openWorld(place)
  signInSuite(world)
  accountSuite(world)
  catalogSuite(world)
  ordersSuite(world)
  conventionsSuite(world)
}

/** Stands for a suite that cannot run here: its title says why. */
export const skippedSuite = (what: string, why: string): void =>
  test.skipIf(true)(`${what} [skipped: ${why}]`, () => undefined)
