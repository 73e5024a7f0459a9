import { sqlServerSuite } from '../sql/database.suite.ts'
import { pglite } from './index.ts'

sqlServerSuite('PGlite in memory', () => pglite())
