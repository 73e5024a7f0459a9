import { expect, test } from 'vitest'
import { replayOptions } from './options.ts'

const key = { SERVAL_OPERATOR_KEY: 'secret' }

test('a file and the key are enough', () => {
  expect(replayOptions(['orders.csv'], key)).toMatchObject({
    file: 'orders.csv',
    address: 'http://127.0.0.1:8080',
    operator: 'http://127.0.0.1:8081',
    key: 'secret',
    speed: 'max',
    concurrency: 16,
    run: undefined,
    patienceMs: 120_000,
  })
})

test('a speed is max or a factor', () => {
  const speed = (text: string) => replayOptions(['f', '--speed', text], key)
  expect(speed('max')).toMatchObject({ speed: 'max' })
  expect(speed('1000x')).toMatchObject({ speed: 1_000 })
  expect(speed('0.5')).toMatchObject({ speed: 0.5 })
  for (const wrong of ['fast', '0x', '-1', 'x', '']) expect(() => speed(wrong)).toThrow('--speed')
})

test('what is wrong is named with its value', () => {
  const told = (...argv: string[]) => {
    try {
      replayOptions(argv, key)
    } catch (error) {
      return (error as Error).message
    }
    return ''
  }
  expect(told()).toContain('Which FILE?')
  expect(told('a.csv', 'b.csv')).toContain('not also b.csv')
  expect(told('f', '--limit', '1e3')).toBe(
    '--limit must be a whole number from 1 to 9007199254740991; it is "1e3"',
  )
  expect(told('f', '--concurrency', '0')).toContain('from 1 to 1000; it is "0"')
  expect(told('f', '--address', 'localhost:80')).toContain('it is "localhost:80"')
  expect(told('f', '--run', 'a b')).toContain('it is "a b"')
  expect(told('f', '--fast')).toContain('--fast')
  expect(() => replayOptions(['f'], {})).toThrow('operator’s key is missing')
})

test('--help needs nothing else', () => {
  expect(replayOptions(['--help'], {})).toBe('help')
})
