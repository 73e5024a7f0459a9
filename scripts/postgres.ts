// Runs one PostgreSQL server until stdin closes. The first line on stdout is JSON: the `url` of
// the server, or the `reason` why there is none.

import { startPostgres } from '../toolkit/src/testing/postgres-server.ts'

const server = await startPostgres().catch((error: unknown) => ({ missing: String(error) }))
if ('missing' in server) {
  console.log(JSON.stringify({ reason: server.missing }))
} else {
  console.log(JSON.stringify({ url: server.url }))
  process.stdin.resume().once('end', () => void server.stop())
}
