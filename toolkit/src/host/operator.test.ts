import { expect, test } from 'vitest'
import type { Call, Link } from '../link/call.ts'
import type { Store } from '../store/store.ts'
import { builtInOperations } from '../service/built-in.ts'
import { manualEnv } from '../testing/manual-env.ts'
import { controlLink } from './operator.ts'

const setting = () => {
  const env = manualEnv()
  const asked: unknown[] = []
  const tries = {
    parked: () =>
      Promise.resolve([
        {
          publisher: 'orders',
          partition: 3,
          position: 7,
          failures: 5,
          parked: true,
          error: 'x',
          message: { subject: 'o1', type: 'order.placed.v1', data: { secret: 1 } },
        },
      ]),
    replay: (id: unknown, key: string, now: number) => (
      asked.push(['replay', id, key, now]),
      Promise.resolve(key === 'o1')
    ),
    discard: (id: unknown, key: string, now: number) => (
      asked.push(['discard', id, key, now]),
      Promise.resolve(key === 'o1')
    ),
  }
  const readers = {
    list: () => Promise.resolve([{ subscription: 'mirror', partition: 0, position: 2 }]),
    forget: (name: string) => (asked.push(['forget', name]), Promise.resolve()),
  }
  // The control link asks a store for these two alone.
  const store = { subscriptions: { held: { tries } }, log: { readers } } as unknown as Store
  const passed: Call[] = []
  const own = builtInOperations('mirror', store, env)
  const next: Link = {
    call: async (call) => {
      const asked = call.contract === 'mirror' ? own.get(call.operation) : undefined
      if (asked !== undefined) return { value: await asked(call.input) }
      passed.push(call)
      return { value: 'passed on' }
    },
  }
  const link = controlLink(next, ['mirror'], 'shop', env)
  const call = (
    operation: string,
    input: unknown,
    caller: Call['caller'] = { kind: 'operator' },
    contract = 'control',
  ) =>
    link.call({
      contract,
      operation,
      input,
      caller,
      key: undefined,
      deadline: env.now() + 1_000,
      signal: new AbortController().signal,
      trace: { correlationId: 'c' },
      strict: true,
      target: `${contract}.${operation}`,
      repeatable: false,
    })
  return { env, asked, passed, call }
}
const key = { service: 'mirror', publisher: 'orders', key: 'o1' }

test('the operator sees what is parked and who reads', async () => {
  const { call } = setting()
  expect(await call('parked', {})).toEqual({
    value: {
      items: [
        {
          service: 'mirror',
          publisher: 'orders',
          key: 'o1',
          type: 'order.placed.v1',
          position: 7,
          partition: 3,
          failures: 5,
          error: 'x',
        },
      ],
    },
  })
  expect(await call('readers', {})).toEqual({
    value: { items: [{ publisher: 'mirror', subscription: 'mirror', partition: 0, position: 2 }] },
  })
})

test('the operator replays, discards and forgets', async () => {
  const { env, asked, call } = setting()
  await call('replay', key)
  await call('discard', key)
  await call('forget', { publisher: 'mirror', subscription: 'dead' })
  const id = { subscription: 'mirror', publisher: 'orders' }
  expect(asked).toEqual([
    ['replay', id, 'o1', env.now()],
    ['discard', id, 'o1', env.now()],
    ['forget', 'dead'],
  ])
  await expect(call('replay', { ...key, key: 'o2' })).rejects.toMatchObject({
    code: 'nothing-parked',
    kind: 'not-found',
  })
})

test('a service that there is not is an error of the field that named it', async () => {
  const { call } = setting()
  const pointing = (pointer: string) => ({ code: 'invalid-input', data: { errors: [{ pointer }] } })
  await expect(call('replay', { ...key, service: 'elsewhere' })).rejects.toMatchObject(
    pointing('/service'),
  )
  await expect(call('forget', { publisher: 'elsewhere', subscription: 'x' })).rejects.toMatchObject(
    pointing('/publisher'),
  )
  await expect(call('forget', { publisher: '__proto__', subscription: 'x' })).rejects.toMatchObject(
    pointing('/publisher'),
  )
  await expect(call('replay', { service: 'mirror' })).rejects.toMatchObject({
    code: 'invalid-input',
  })
  await expect(call('parked', { more: 1 })).rejects.toMatchObject(pointing('/more'))
})

test('nobody but the operator may', async () => {
  const { call, asked } = setting()
  for (const caller of [
    { kind: 'anonymous' },
    { kind: 'service', name: 'orders' },
    { kind: 'user', id: 'u', roles: ['admin', 'operator'], session: 's' },
  ] as const)
    await expect(call('replay', key, caller)).rejects.toMatchObject({ code: 'forbidden' })
  expect(asked).toEqual([])
})

test('an operation that there is not, is not there, whatever its name', async () => {
  const { call } = setting()
  for (const name of ['nothing', 'constructor', '__proto__', 'toString', '$log.read'])
    await expect(call(name, {})).rejects.toMatchObject({ code: 'no-such-operation' })
})

test('calls of other contracts go on', async () => {
  const { call, passed } = setting()
  expect(await call('list', {}, { kind: 'operator' }, 'inventory')).toEqual({ value: 'passed on' })
  expect(passed).toHaveLength(1)
})
