import { fleetSuite } from './fleet.suite.ts'

await fleetSuite('cheetah')
