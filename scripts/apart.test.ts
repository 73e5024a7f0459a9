import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
// @ts-expect-error: a script in plain JavaScript
import { excluded, exclusionOf, serviceTests, titles } from './apart.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const files = readdirSync(`${root}shop`, { recursive: true })
  .map((name) => `shop/${String(name)}`)
  .filter((name) => name.endsWith('.test.ts'))

test('a test that starts services, itself or by a suite, runs apart unless it is excluded', () => {
  const found = serviceTests(root, [...files, 'toolkit/src/service/step.test.ts'])
  expect(found).toContain('shop/payments/payments.test.ts')
  expect(found).toContain('shop/accounts/roles/roles.test.ts')
  expect(found).not.toContain('shop/money.test.ts')
  expect(found).not.toContain('toolkit/src/service/step.test.ts')
  for (const file of excluded.files) expect(found).not.toContain(file)
})

test('what is excluded by its title is left out of its file, and counted nowhere', () => {
  const [one] = excluded.tests
  if (one === undefined) throw new Error('nothing is excluded')
  const runs = new RegExp(titles)
  expect(runs.test(`a suite ${one.title}`)).toBe(false)
  expect(runs.test('a title of another test')).toBe(true)
  expect(exclusionOf(one.file, `a suite > ${one.title} (skipped)`)).toBe(one)
  expect(exclusionOf('another.test.ts', one.title)).toBeUndefined()
})
