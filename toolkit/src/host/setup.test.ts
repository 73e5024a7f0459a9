import { expect, test } from 'vitest'
import { failure } from '../base/failure.ts'
import { settingsFrom } from './settings.ts'
import { setup, setupFrom } from './setup.ts'

const settings = settingsFrom({})
const nothing = () => Promise.resolve()
const good = () => ({
  system: { name: 's', title: 'S', version: '1', services: [] },
  development: true,
  stores: { name: 'none', exclusive: true, open: nothing, close: nothing },
  cache: { name: 'none', remote: false, open: nothing },
  ports: {},
  listen: nothing,
  edge: {},
  authenticate: () => nothing,
  public: { host: '127.0.0.1', port: 0 },
  operator: { host: '127.0.0.1', port: 0 },
  masterSecret: nothing,
})
const read = (wired: unknown) =>
  setupFrom({ default: setup('mine', () => wired as never) }, 'mine.ts', settings)
const misconfigured = (message: string) =>
  expect.objectContaining({ code: 'misconfigured', message })

test('a good setup is what its wiring made, under its name', () => {
  const wired = good()
  expect(read(wired)).toEqual({ name: 'mine', setup: wired })
  expect(read(wired).setup).toBe(wired)
})

test('a file without a default export made by setup() says so', () => {
  const modules = [
    undefined,
    null,
    {},
    { default: undefined },
    { default: null },
    { default: 'x' },
    { default: good() },
    { default: () => good() },
    { default: { name: 'x' } },
    { default: { name: 1, wire: good } },
    { setup: setup('x', () => good() as never) },
  ]
  for (const module of modules)
    expect(() => setupFrom(module, 'mine.ts', settings)).toThrow(
      misconfigured('mine.ts must have a default export made by setup(name, wiring)'),
    )
})

test('a field of a wrong type is named, with what it must be and what it is', () => {
  const cases: [change: object, message: string][] = [
    [{ system: undefined }, 'system must be an object; it is undefined'],
    [
      { system: { name: 's', title: 'S', version: '1' } },
      'system.services must be an array; it is undefined',
    ],
    [{ system: { ...good().system, name: 1 } }, 'system.name must be a string; it is number'],
    [{ system: [] }, 'system must be an object; it is array'],
    [{ development: 'yes' }, 'development must be a boolean; it is string'],
    [{ stores: null }, 'stores must be an object; it is null'],
    [{ stores: { name: 'x', close: nothing } }, 'stores.open must be a function; it is undefined'],
    [{ ports: 8080 }, 'ports must be an object; it is number'],
    [{ listen: {} }, 'listen must be a function; it is object'],
    [{ public: 8080 }, 'public must be an object; it is number'],
    [{ public: { host: '127.0.0.1', port: '8080' } }, 'public.port must be a number; it is string'],
    [{ operator: { port: 0 } }, 'operator.host must be a string; it is undefined'],
    [{ masterSecret: 'hunter2' }, 'masterSecret must be a function; it is string'],
  ]
  for (const [change, message] of cases)
    expect(() => read({ ...good(), ...change })).toThrow(
      misconfigured(`mine.ts: the setup’s field ${message}`),
    )
  for (const wired of [undefined, null, 1, 'x', [], Promise.resolve(good())])
    expect(() => read(wired)).toThrow(/^mine\.ts: the setup’s field system must be an object/)
})

test('a wiring that throws is told as the file’s; a failure passes as it is', () => {
  const wiring = (thrown: unknown) => () =>
    setupFrom(
      {
        default: setup('mine', () => {
          throw thrown
        }),
      },
      'mine.ts',
      settings,
    )
  expect(wiring(new TypeError('x is not a function'))).toThrow(
    misconfigured('mine.ts: its wiring failed: x is not a function'),
  )
  expect(wiring('text')).toThrow(misconfigured('mine.ts: its wiring failed: text'))
  expect(wiring(failure('misconfigured', 'PORT must be set'))).toThrow(
    misconfigured('PORT must be set'),
  )
})
