import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { command, contract } from '../contract/index.ts'
import { memoryStores } from '../engines/memory/index.ts'
import { eventually, startTestServices, type TestServices } from '../testing/index.ts'
import { service } from './index.ts'

const timer = contract('timer', {
  operations: {
    set: command({
      summary: 'Sets a job',
      access: 'internal',
      repeat: 'never',
      input: z.object({ job: z.string(), drop: z.boolean() }),
      output: z.object({}),
    }),
  },
})

const ran: number[] = []
let started = 0
let release: () => void = () => undefined
let again: () => void = () => undefined
const setAnew = new Promise<void>((resolve) => (again = resolve))
const released = new Promise<void>((resolve) => (release = resolve))
const timerService = service(timer, {
  operations: {
    set: ({ job, drop }, { step }) =>
      step(async (s) => {
        if (drop) s.unschedule(job, 'k')
        else s.schedule(job, { key: 'k', at: s.env.now(), data: 1 })
        return {}
      }),
  },
  jobs: (jobs) => [
    jobs.every('tick', '1h', async () => undefined),
    jobs.once('slow', z.int(), async () => {
      started += 1
      await released
    }),
    jobs.once('quick', z.int(), async (n) => void ran.push(n)),
    jobs.once('twice', z.int(), async (n, { step }) => {
      ran.push(n)
      if (ran.length === 1) await setAnew
      await step(async () => undefined)
    }),
    jobs.once('count', z.int(), (n, { step }) =>
      step(async (s) => {
        ran.push(n)
        if (n < 3) s.schedule('count', { key: 'k', at: s.env.now(), data: n + 1 })
      }),
    ),
  ],
})

const stores = memoryStores()
let system: TestServices
beforeAll(async () => {
  system = await startTestServices({ services: [timerService], stores })
})
afterAll(() => system.end())
const set = (job: string, drop = false) =>
  system.client(timer, { kind: 'service', name: 'test' }).set({ job, drop })

test('a job sets itself again in its own step, and runs once each time', async () => {
  await set('count')
  await eventually(() => ran.length >= 3, 'three runs')
  const waits = () => system.stores.get('timer')?.jobs.next(['count'])
  await eventually(async () => (await waits()) === undefined, 'no job left')
  expect(ran).toEqual([1, 2, 3])
})

test('a job that takes long holds up no other, and is waited for at the end', async () => {
  ran.length = 0
  await set('slow')
  await eventually(() => started > 0, 'the slow job to start')
  await set('quick')
  await eventually(() => ran.length > 0, 'the quick job', 2_000)
  let ended = false
  const ending = system.end({ keepServer: true }).then(() => (ended = true))
  expect(ended).toBe(false)
  release()
  await ending
  expect(started).toBe(1)
  system = await startTestServices({ services: [timerService], stores })
})

test('a step neither sets nor drops a recurring job, nor one that is not declared', async () => {
  for (const job of ['tick', 'nothing'])
    for (const drop of [false, true])
      await expect(set(job, drop)).rejects.toMatchObject({ code: 'internal' })
  expect(await system.stores.get('timer')?.jobs.next(['tick'])).toBeGreaterThan(Date.now())
})

test('a job that is set anew while it runs comes again, and nothing has failed', async () => {
  ran.length = 0
  await set('twice')
  await eventually(() => ran.length >= 1, 'the first run')
  await set('twice')
  again()
  await eventually(() => ran.length >= 2, 'the second run')
  const waits = () => system.stores.get('timer')?.jobs.next(['twice'])
  await eventually(async () => (await waits()) === undefined, 'no job left')
  expect(system.lines.filter((line) => line.includes('failed'))).toEqual([])
})
