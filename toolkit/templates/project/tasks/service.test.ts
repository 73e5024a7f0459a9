import { eventually, startTestServices, type TestServices } from 'serval/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { tasks } from './contract.ts'
import { tasksService } from './service.ts'

/** The service through its contract, on an embedded PostgreSQL in memory: everything but the socket. */
let system: TestServices
beforeAll(async () => {
  system = await startTestServices({ services: [tasksService] })
}, 60_000)
afterAll(() => system.end())
const client = () => system.client(tasks, { kind: 'anonymous' })

test('a repeated call under one key is one task, and gets the same reply', async () => {
  const first = await client().add({ title: 'Feed the cat' }, { key: 'k1' })
  expect(await client().add({ title: 'Feed the cat' }, { key: 'k1' })).toEqual(first)
  expect(await client().task({ id: first.id })).toEqual(first)
})

test('a task is done once, and counted once', async () => {
  const { id } = await client().add({ title: 'Brush the cat' }, { key: 'k2' })
  const completed = await client().complete({ id })
  expect(completed.doneAt).toBeDefined()
  expect(await client().complete({ id })).toEqual(completed)
  const [day] = await eventually(async () => {
    const { items } = await client().days({})
    return items.length > 0 ? items : undefined
  }, 'the day is counted')
  expect(day).toEqual({ day: completed.doneAt?.slice(0, 10), done: 1 })
})

test('lists are read page by page, newest first', async () => {
  for (const key of ['a', 'b', 'c']) await client().add({ title: key }, { key })
  const first = await client().list({ limit: 2 })
  expect(first.items.map(({ title }) => title)).toEqual(['c', 'b'])
  const { items } = await client().list({ limit: 1, cursor: first.next })
  expect(items.map(({ title }) => title)).toEqual(['a'])
})

test('a task that is not there is a problem of the contract', async () => {
  await expect(client().task({ id: 'nobody' })).rejects.toMatchObject({ code: 'no-such-task' })
})
