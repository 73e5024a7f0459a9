import { groupingSuite } from '../sql/grouping.suite.ts'
import type { SqlServer } from '../sql/database.ts'
import { pglite } from './index.ts'

// Another host's view of it is the same engine: only one process can have it open.
let engine: SqlServer | undefined
groupingSuite('pglite', () => (engine ??= pglite()))
