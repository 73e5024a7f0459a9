import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { givenPlace } from '../given-place.ts'
import { postgresUrl, whyNoPostgres } from '../postgres-databases.ts'

/*
 * The short form of `npm run changes`: whether anything is lost, not how long it takes.
 */

const root = fileURLToPath(new URL('../..', import.meta.url))
const reason =
  givenPlace() !== undefined
    ? 'the shop at SERVAL_ACCEPTANCE_URL is tested'
    : postgresUrl === undefined
      ? whyNoPostgres
      : undefined
const args = '--do split-merge,kill --only orders --pairs 0 --before 1 --rest 0.5 --any-latency'

test.skipIf(reason !== undefined)(
  `a split and a merge under load lose no request, and two kills no order${reason === undefined ? '' : ` [skipped: ${reason}]`}`,
  async () => {
    const program = ['acceptance/changes/main.ts', ...args.split(' ')]
    const said = await promisify(execFile)(process.execPath, program, { cwd: root }).then(
      ({ stdout }) => stdout,
      (error: { stdout: string; stderr: string }) => `${error.stdout}\n${error.stderr}`,
    )
    expect(said).toMatch(/All \d+ checks agree/)
  },
  180_000,
)
