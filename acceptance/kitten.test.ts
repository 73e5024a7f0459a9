import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { apiSuite } from './api.suite.ts'
import { givenPlace } from './given-place.ts'
import { killAll, startShop, unexpectedLines } from './shop-process.ts'

/*
 * The public API on embedded stores, or wherever SERVAL_ACCEPTANCE_URL says that a shop runs.
 */

const data = mkdtempSync(join(tmpdir(), 'serval-kitten-'))
afterAll(async () => {
  await killAll()
  rmSync(data, { recursive: true, force: true })
})

const given = givenPlace()
if (given !== undefined) await apiSuite(given)
else {
  const shop = await startShop({ data })
  await apiSuite(shop)

  test('the shop ends as it should, and has logged nothing but what it must', async () => {
    const { code, stderr } = await shop.stop()
    expect(code).toBe(0)
    expect(unexpectedLines(stderr, /a refresh token was used again/)).toEqual([])
  })
}
