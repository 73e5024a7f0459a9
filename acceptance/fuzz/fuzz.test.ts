import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { killAll, startShop, unexpectedLines } from '../shop-process.ts'
import { openFuzzer } from './fuzz.ts'

/*
 * The short form of `npm run fuzz`: the same requests each time, and as many that are new each time.
 */

const data = mkdtempSync(join(tmpdir(), 'serval-fuzz-'))
afterAll(async () => {
  await killAll()
  rmSync(data, { recursive: true, force: true })
})

const shop = await startShop({ data })
const fuzzer = await openFuzzer(shop)
const perGroup = 90

for (const seed of [1, Math.floor(Math.random() * 2 ** 31)])
  for (const group of fuzzer.groups)
    test(`${group}: no reply is a 5xx, and each is declared`, async () => {
      const { findings, requests } = await fuzzer.run({ group, requests: perGroup, seed })
      expect(findings).toEqual([])
      expect(requests).toBe(perGroup)
    })

test('nothing of it is in the log', () => {
  expect(unexpectedLines(shop.stderr, /a refresh token was used again|"Superseded"/)).toEqual([])
})
