import fc from 'fast-check'
import { expect, test } from 'vitest'
import { failure } from '../base/failure.ts'
import { manualEnv } from '../testing/manual-env.ts'
import { logger, type LogFields, type LogLevel } from './log.ts'
import { acceptableRequestId } from './trace.ts'

const setting = (level?: LogLevel) => {
  const lines: string[] = []
  const log = logger({
    env: manualEnv(),
    ...(level === undefined ? {} : { level }),
    write: (line) => lines.push(line),
  })
  return { log, lines, last: () => JSON.parse(lines.at(-1) ?? '') as Record<string, unknown> }
}

test('a line is a JSON object with time, level, message and fields, those of with() included', () => {
  const { log, lines } = setting()
  log
    .with({ service: 'orders', host: 1 })
    .with({ host: 2 })
    .info('placed', { id: 'a', again: false })
  expect(lines).toEqual([
    '{"at":"2026-01-01T00:00:00.000Z","level":"info","message":"placed","service":"orders","host":2,"id":"a","again":false}',
  ])
})

test('levels below the log’s own are left out; the usual is info', () => {
  const levels = (level?: LogLevel) => {
    const { log, lines } = setting(level)
    log.debug('x')
    log.info('x')
    log.warn('x')
    log.error('x')
    return lines.length
  }
  expect([levels(), levels('debug'), levels('warn'), levels('error')]).toEqual([3, 4, 2, 1])
})

test('an error is told with its causes; its stack only where nobody foresaw it', () => {
  const { log, last } = setting()
  const cause = new TypeError('x is undefined', { cause: new Error('deep') })
  log.error('failed', {}, failure('internal', undefined, { cause }))
  expect(last()['error']).toMatchObject({
    code: 'internal',
    stack: expect.any(String),
    cause: {
      name: 'TypeError',
      message: 'x is undefined',
      stack: expect.any(String),
      cause: { message: 'deep' },
    },
  })
  log.warn('failed', {}, failure('conflict'))
  expect(last()['error']).toEqual({
    code: 'conflict',
    ran: 'ran',
    message: 'Others changed the same thing too often at this moment',
  })
})

test('errors in a circle end', () => {
  const { log, lines, last } = setting()
  const a = new Error('a')
  a.cause = new Error('b', { cause: a })
  log.error('failed', {}, a)
  expect(last()['error']).toMatchObject({
    message: 'a',
    cause: { message: 'b', cause: { message: 'a' } },
  })
  expect(lines[0]?.length).toBeLessThan(50_000)
})

test('whatever is thrown can be told', () => {
  const { log, last } = setting()
  for (const [thrown, told] of [
    ['text', 'text'],
    [null, 'null'],
    [1n, '1'],
    [Symbol('s'), 'Symbol(s)'],
    [{}, '[object Object]'],
  ] as const) {
    log.error('failed', {}, thrown)
    expect(last()['error']).toEqual({ message: told })
  }
  log.error('failed', {}, Object.create(null))
  expect(last()['error']).toEqual({ message: expect.any(String) })
})

test('no field takes the place of time, level or message', () => {
  const { log, last } = setting()
  log
    .with({ level: 'x', at: 'x' })
    .warn('real', { message: 'forged', level: 'debug', at: 'never', error: 'mine' })
  expect(last()).toEqual({
    at: '2026-01-01T00:00:00.000Z',
    level: 'warn',
    message: 'real',
    error: 'mine',
  })
})

test('line ends of every kind stay inside the line', () => {
  const { log, lines, last } = setting()
  const text = 'a\nb\r\nc\u2028d\u2029e\u0085f\vg\fh\u001b[2K'
  log.info(text, { [text]: text })
  for (const end of '\n\r\u2028\u2029\u0085\v\f\u001b') expect(lines[0]).not.toContain(end)
  expect(last()).toMatchObject({ message: text, [text]: text })
})

test('what JSON does not hold is told as far as it goes, and never throws', () => {
  const { log, last } = setting()
  const circle: Record<string, unknown> = { id: 'a' }
  circle['self'] = circle
  const odd = (fields: Record<string, unknown>) => log.info('odd', fields as LogFields)
  odd({ big: 12n, list: [1n] })
  expect(last()).toMatchObject({ big: '12', list: ['1'] })
  odd({ big: 12n, circle, id: 'b' })
  expect(last()).toMatchObject({ message: 'odd', big: '12', id: 'b' })
  odd({
    bad: {
      toJSON: () => {
        throw new Error('no')
      },
    },
    id: 'c',
  })
  expect(last()).toMatchObject({ message: 'odd', id: 'c' })
  odd({
    nan: NaN,
    fn: () => undefined,
    none: undefined,
    bare: Object.assign(Object.create(null) as object, circle),
  })
  expect(last()).toMatchObject({ message: 'odd', nan: null })
  odd(JSON.parse('{"__proto__":{"level":"x"},"constructor":"c"}') as Record<string, unknown>)
  expect(last()).toMatchObject({ level: 'info', constructor: 'c' })
})

test('any fields give one line that reads as an object', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary' }),
      fc.dictionary(fc.string(), fc.anything({ withBigInt: true, withNullPrototype: true })),
      fc.anything(),
      (message, fields, thrown) => {
        const { log, lines, last } = setting()
        log.error(message, fields as LogFields, thrown)
        expect(lines).toHaveLength(1)
        expect(lines[0]).not.toMatch(/[\n\r\u2028\u2029]/)
        expect(last()).toMatchObject({ level: 'error' })
      },
    ),
    { numRuns: 100 },
  )
})

test('a client’s request id is kept when it has 1 to 64 letters, digits, dots, underscores and hyphens', () => {
  for (const good of ['a', 'A-b_c.9', 'x'.repeat(64)]) expect(acceptableRequestId(good)).toBe(good)
  for (const bad of [undefined, '', 'x'.repeat(65), 'a b', 'a, b', 'a\n', 'ä', '{}', '%0a'])
    expect(acceptableRequestId(bad)).toBeUndefined()
})
