import { expect, test } from 'vitest'
import { settingsFrom } from './settings.ts'

const misconfigured = (message: string) =>
  expect.objectContaining({ code: 'misconfigured', message })

test('what is not set, or is empty, is the default', () => {
  const settings = settingsFrom({ EMPTY: '' })
  for (const name of ['EMPTY', 'NONE']) {
    expect(settings.text(name, 'x')).toBe('x')
    expect(settings.port(name, 8080)).toBe(8080)
    expect(settings.integer(name, 5, { from: 1, to: 9 })).toBe(5)
    expect(settings.level(name, 'warn')).toBe('warn')
    expect(settings.flag(name, true)).toBe(true)
    expect(() => settings.text(name)).toThrow(misconfigured(`${name} must be set`))
  }
})

test('a good value is read', () => {
  const settings = settingsFrom({
    TEXT: ' a ',
    PORT: '65535',
    FREE: '0',
    LEVEL: 'debug',
    ON: 'true',
    OFF: 'false',
  })
  expect(settings.text('TEXT', 'x')).toBe(' a ')
  expect([settings.port('PORT', 1), settings.port('FREE', 1)]).toEqual([65_535, 0])
  expect(settings.level('LEVEL', 'warn')).toBe('debug')
  expect([settings.flag('ON', false), settings.flag('OFF', true)]).toEqual([true, false])
})

test('a wrong value fails with the field, the range and the value', () => {
  const read = (value: string) => settingsFrom({ X: value })
  for (const value of [
    '65536',
    '-1',
    '80.5',
    '8e1',
    '0x50',
    ' 80',
    '80 ',
    'http',
    '٨٠',
    '99999999999999999999',
  ])
    expect(() => read(value).port('X', 1)).toThrow(
      misconfigured(`X must be a whole number from 0 to 65535; it is ${JSON.stringify(value)}`),
    )
  expect(() => read('10').integer('X', 5, { from: 1, to: 9 })).toThrow(
    misconfigured('X must be a whole number from 1 to 9; it is "10"'),
  )
  expect(() => read('loud').level('X', 'warn')).toThrow(
    misconfigured('X must be one of debug, info, warn, error; it is "loud"'),
  )
  for (const value of ['yes', '1', 'TRUE', ' true'])
    expect(() => read(value).flag('X', false)).toThrow(
      misconfigured(`X must be true or false; it is ${JSON.stringify(value)}`),
    )
})

test('the value of a secret is never in a message', () => {
  const names = [
    'SERVAL_SECRET',
    'API_KEY',
    'DB_PASSWORD',
    'DB_PASS',
    'DATABASE_URL',
    'ACCESS_TOKEN',
    'CREDENTIALS',
    'database_url',
    'smtpPassword',
  ]
  for (const name of names) {
    const settings = settingsFrom({ [name]: 'hunter2' })
    for (const read of [
      () => settings.port(name, 1),
      () => settings.flag(name, true),
      () => settings.level(name, 'warn'),
    ]) {
      expect(read).toThrow(
        expect.objectContaining({
          code: 'misconfigured',
          message: expect.stringMatching(new RegExp(`^${name} must be `)),
        }),
      )
      expect(read).not.toThrow(/hunter2/)
    }
  }
})
