import { expect, test } from 'vitest'
import { milliseconds, type Duration } from './duration.ts'

test('a duration is milliseconds, or a number with a unit', () => {
  expect(milliseconds(0)).toBe(0)
  expect(milliseconds(12.5)).toBe(12.5)
  expect(milliseconds('250ms')).toBe(250)
  expect(milliseconds('1.5s')).toBe(1_500)
  expect(milliseconds('5m')).toBe(300_000)
  expect(milliseconds('24h')).toBe(86_400_000)
  expect(milliseconds('7d')).toBe(604_800_000)
})

const wrong: readonly [given: unknown, shown: string][] = [
  [-1, '-1'],
  [NaN, 'NaN'],
  [Infinity, 'Infinity'],
  [10n, '10'],
  [null, 'null'],
  [undefined, 'undefined'],
  ['', '""'],
  ['5', '"5"'],
  ['-5s', '"-5s"'],
  ['5 s', '"5 s"'],
  ['5S', '"5S"'],
  ['1e3s', '"1e3s"'],
  ['.5s', '".5s"'],
  ['5s\n', '"5s\\n"'],
  [['5s'], '5s'],
  [`${'9'.repeat(320)}d`, `"${'9'.repeat(320)}d"`],
]

for (const [given, shown] of wrong)
  test(`${shown.slice(0, 20)} is no duration, and the message names field and value`, () => {
    expect(() => milliseconds(given as Duration, 'orders.sweep')).toThrow(
      expect.objectContaining({
        code: 'misconfigured',
        message: expect.stringMatching(/^orders\.sweep must be a duration such as .*; it is /),
      }),
    )
    expect(() => milliseconds(given as Duration, 'orders.sweep')).toThrow(`; it is ${shown}`)
  })
