import { afterEach, expect, test } from 'vitest'
import { z } from 'zod'
import { command, contract, event, query } from '../contract/index.ts'
import { memoryStores } from '../engines/memory/index.ts'
import { service } from '../service/index.ts'
import { placementNamed } from './disturbances.ts'
import { eventually } from './eventually.ts'
import { manualEnv } from './manual-env.ts'
import { startTestServices, type TestServices } from './services.ts'

const news = contract('news', {
  operations: {
    publish: command({
      summary: 'Publishes',
      access: 'public',
      repeat: 'never',
      input: z.object({ title: z.string() }),
      output: z.undefined(),
    }),
    count: query({
      summary: 'How often it was asked',
      access: 'user',
      input: z.object({}),
      output: z.int(),
    }),
  },
  events: {
    published: event('published', {
      version: 1,
      key: 'title',
      data: z.object({ title: z.string() }),
    }),
  },
})
const reader = contract('reader', { operations: {} })

let running: TestServices | undefined
afterEach(async () => {
  await running?.end()
  running = undefined
})

const start = async (placement: string) => {
  let asked = 0
  const told: string[] = []
  running = await startTestServices({
    services: [
      service(news, {
        operations: {
          publish: ({ title }, { step }) =>
            step(async (s) => {
              s.emit(news.events.published, { title })
              return undefined
            }),
          count: () => Promise.resolve((asked += 1)),
        },
      }),
      service(reader, {
        operations: {},
        subscriptions: (on) => [
          on(news.events.published, ({ data }) => Promise.resolve(void told.push(data.title))),
        ],
      }),
    ],
    stores: memoryStores(),
    env: manualEnv(),
    placement: placementNamed(placement),
  })
  const count = (id: string) =>
    running?.client(news, { kind: 'user', id, roles: [], session: 's' }).count({})
  return { publish: running.client(news, { kind: 'anonymous' }).publish, told, count }
}

test.each(['direct', 'http', 'wire'])(
  'by a clock that stands still hosts linked by %s hear of each other, each message once',
  async (linked) => {
    const { publish, told } = await start(linked)
    await publish({ title: 'a' })
    await publish({ title: 'b' })
    await eventually(() => told.length >= 2, 'the second message')
    expect(told.toSorted()).toEqual(['a', 'b'])
  },
)

test('each message is delivered twice, to a host each', async () => {
  const { publish, told } = await start('direct+twice')
  await publish({ title: 'a' })
  await eventually(() => told.length >= 2, 'the second delivery')
  expect(told).toEqual(['a', 'a'])
})

test('the first reply of an operation to each of three users is lost, and asked for again', async () => {
  const { count } = await start('direct+lost')
  expect([await count('ann'), await count('ann')]).toEqual([2, 3])
  expect([await count('bob'), await count('cat'), await count('dan')]).toEqual([5, 7, 8])
})

test('a placement that is none is refused with those that there are', () => {
  expect(() => placementNamed('wire+thrice')).toThrow(
    /together, or direct, http, wire, .*wire\+thrice/,
  )
})
