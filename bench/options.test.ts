import { expect, test } from 'vitest'
import { parseOptions as parse, WrongOption } from './options.ts'

const parseOptions = (argv: readonly string[]) => parse(argv, ['shop-bun', 'hono-bun'])

test('without options everything is measured, in the order of the report', () => {
  expect(parseOptions([])).toEqual({
    only: ['calls', 'links', 'rest', 'reads', 'auth', 'orders', 'replicas'],
    seconds: 3,
    rounds: 5,
    connections: 64,
    contenders: [],
    keep: false,
    report: undefined,
    from: undefined,
  })
})

test('sections and contenders are lists', () => {
  const options = parseOptions(['--only', 'orders, reads', '--contenders', 'shop-bun,hono-bun'])
  expect(options?.only).toEqual(['reads', 'orders'])
  expect(options?.contenders).toEqual(['shop-bun', 'hono-bun'])
})

test('help is no run', () => {
  expect(parseOptions(['--help'])).toBeUndefined()
})

test.each([
  [['--only', 'order'], /--only knows .*orders, replicas, not order/],
  [['--seconds', 'three'], /--seconds is a number from 0.2 to 600, not three/],
  [['--rounds', '0'], /--rounds/],
  [['--contenders', 'nginx'], /--contenders knows .*hono-bun, not nginx/],
  [['--fast'], /--fast/],
])('%j is refused with its name and what it may be', (argv, message) => {
  expect(() => parseOptions(argv)).toThrow(WrongOption)
  expect(() => parseOptions(argv)).toThrow(message)
})
