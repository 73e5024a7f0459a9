import { expect, test } from 'vitest'
import { contract } from '../contract/index.ts'
import { memoryStores } from '../engines/memory/index.ts'
import { notes, notesService } from '../events/notes.suite.ts'
import { port, service } from '../service/index.ts'
import { eventually, manualEnv, startTestServices } from '../testing/index.ts'

const reader = service(contract('reader', { operations: {} }), {
  operations: {},
  ports: { outside: port<(key: string) => Promise<void>>() },
  subscriptions: (on) => [
    on(notes.events.written, ({ data }, { ports }) => ports.outside(data.key)),
  ],
})

test('what a host has begun when another one comes is done once, and the other then does its share', async () => {
  const env = manualEnv()
  const stores = memoryStores()
  const began: string[] = []
  let goOn: () => void = () => undefined
  const gate = new Promise<void>((resolve) => (goOn = resolve))
  const start = (outside: (key: string) => Promise<void>) =>
    startTestServices({
      services: [notesService, reader],
      stores,
      env,
      ports: { outside },
      placement: 'together',
    })
  const old = await start(async (key) => {
    began.push(key)
    await gate
  })
  const client = old.client(notes, { kind: 'service', name: 'test' })
  const write = async (round: number) => {
    const keys = Array.from({ length: 40 }, (_, n) => `${round}.${n}`)
    for (const key of keys) await client.write({ key, n: round })
    return keys
  }
  const early = await write(1)
  await eventually(() => began.length === early.length, 'the old host at work')
  const byNew: string[] = []
  const next = await start(async (key) => void byNew.push(key))
  for (let turn = 0; turn < 5; turn++) await env.advance(10)
  goOn()
  for (let turn = 0; turn < 30; turn++) await env.advance(100)
  expect(byNew).toEqual([])
  const late = await write(2)
  for (let turn = 0; turn < 30; turn++) await env.advance(100)
  expect(byNew.length).toBeGreaterThan(0)
  expect([...began, ...byNew].toSorted()).toEqual([...early, ...late].toSorted())
  await next.end({ keepServer: true })
  await old.end()
})
