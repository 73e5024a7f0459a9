import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { command, contract, event, feed } from '../contract/index.ts'
import { memoryStores } from '../engines/memory/index.ts'
import { startTestServices, type TestServices } from '../testing/index.ts'
import { service } from './index.ts'

/* A feed on one host hears of what another host changed. */

const counter = contract('counter', {
  operations: {
    add: command({
      summary: 'Counts',
      access: 'public',
      repeat: 'never',
      input: z.object({ id: z.string() }),
      output: z.object({}),
    }),
    watch: feed({
      summary: 'Tells of each look at the count',
      access: 'public',
      input: z.object({ id: z.string() }),
      output: z.object({ looks: z.int() }),
    }),
  },
  events: {
    counted: event('counter.counted', {
      version: 1,
      key: 'id',
      data: z.object({ id: z.string() }),
    }),
  },
})
const counterService = service(counter, {
  operations: {
    add: ({ id }, { step }) =>
      step(async (s) => {
        s.emit(counter.events.counted, { id })
        return {}
      }),
    async *watch({ id }, { changes }) {
      let looks = 0
      for await (const _ of changes(id)) yield { looks: ++looks }
    },
  },
})

const stores = memoryStores()
const hosts: TestServices[] = []
beforeAll(async () => {
  for (let at = 0; at < 2; at++)
    hosts.push(await startTestServices({ services: [counterService], stores }))
})
afterAll(async () => {
  for (const host of hosts) await host.end()
})
const clientOf = (host: TestServices | undefined) => {
  if (host === undefined) throw new Error('no host')
  return host.client(counter, { kind: 'anonymous' })
}

test.each([
  ['its own host', 0],
  ['another host', 1],
])('a feed hears of a change on %s', async (_, changing) => {
  const looks = clientOf(hosts[0]).watch({ id: 'a' })[Symbol.asyncIterator]()
  expect((await looks.next()).value).toEqual({ looks: 1 })
  const next = looks.next()
  await clientOf(hosts[changing]).add({ id: 'a' })
  expect((await next).value).toEqual({ looks: 2 })
  await looks.return?.()
})
