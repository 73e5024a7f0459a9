import { settingsFrom } from 'serval/host'
import { expect, test } from 'vitest'
import bigCat from './big-cat.ts'
import kitten from './kitten.ts'

test('mail stays in a mailbox unless a server is named', () => {
  const mailOf = (given: Record<string, string>) => kitten.wire(settingsFrom(given)).ports['mail']
  expect(mailOf({})).toHaveProperty('mailbox')
  expect(mailOf({ SERVAL_SMTP_URL: 'smtp://127.0.0.1:2525' })).not.toHaveProperty('mailbox')
})

test('demo accounts can be left out', () => {
  expect(kitten.wire(settingsFrom({})).development).toBe(true)
  expect(kitten.wire(settingsFrom({ SERVAL_DEVELOPMENT: 'false' })).development).toBe(false)
})

test('big-cat says what it needs', () => {
  expect(() => bigCat.wire(settingsFrom({}))).toThrow(/SERVAL_DATABASE_URL/)
})

test('a kitten shares its database in a fleet only', () => {
  const stores = (given: Record<string, string>) => kitten.wire(settingsFrom(given)).stores
  expect(stores({}).exclusive).toBe(true)
  expect(stores({ SERVAL_DIRECTORY: 'http://127.0.0.1:4000' }).exclusive).toBe(false)
  const elsewhere = ['static:all=wire://a:1', 'dns:{contract}.shop.internal:1', 'consul:http://a:1', 'kubernetes:a?namespace=b'] // prettier-ignore
  for (const SERVAL_DIRECTORY of elsewhere)
    expect(() => stores({ SERVAL_DIRECTORY })).toThrow(
      `SERVAL_DIRECTORY must be http:…, which serval up sets: an embedded database is shared by the processes of one supervisor only; it is "${SERVAL_DIRECTORY}"`,
    )
})
