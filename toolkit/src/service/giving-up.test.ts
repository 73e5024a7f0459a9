import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { contract, query } from '../contract/index.ts'
import { memoryStores } from '../engines/memory/index.ts'
import { startTestServices, type TestServices } from '../testing/index.ts'
import { service } from './index.ts'

/* Who gives a call up is heard by all the work behind it, whenever that asks. */

const nothing = z.object({})
const asked = { access: 'internal', input: nothing, output: nothing } as const
const inner = contract('inner', {
  operations: { wait: query({ summary: 'Waits until it is told to stop', ...asked }) },
})
const outer = contract('outer', {
  operations: {
    pass: query({ summary: 'Calls another, which waits', ...asked }),
    late: query({ summary: 'Asks for its signal when all is over', ...asked }),
  },
})

const told: string[] = []
let arrived: PromiseWithResolvers<void>
let go: PromiseWithResolvers<void>
let over: PromiseWithResolvers<void>
const codeOf = (signal: AbortSignal) => (signal.reason as { code: string }).code

const innerService = service(inner, {
  operations: {
    wait: async (_, { signal }) => {
      arrived.resolve()
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      told.push(`inner ${codeOf(signal)}`)
      over.resolve()
      return {}
    },
  },
})
const outerService = service(outer, {
  uses: { inner },
  operations: {
    pass: async (_, context) => {
      await context.uses.inner.wait({}).catch((error: { code: string }) => {
        told.push(`outer ${error.code}`)
      })
      return {}
    },
    late: async (_, context) => {
      arrived.resolve()
      await go.promise
      told.push(`late ${String(context.signal.aborted)} ${codeOf(context.signal)}`)
      over.resolve()
      return {}
    },
  },
})

let running: TestServices
beforeAll(async () => {
  running = await startTestServices({
    services: [innerService, outerService],
    stores: memoryStores(),
  })
})
afterAll(() => running.end())

const calling = () => {
  arrived = Promise.withResolvers()
  go = Promise.withResolvers()
  over = Promise.withResolvers()
  told.length = 0
  return running.client(outer, { kind: 'service', name: 'test' })
}

test('a caller that gives up ends the calls that its call led to', async () => {
  const caller = new AbortController()
  const refused = calling().pass({}, { signal: caller.signal })
  await arrived.promise
  caller.abort()
  await expect(refused).rejects.toMatchObject({ code: 'cancelled' })
  await over.promise
  expect(told.toSorted()).toEqual(['inner cancelled', 'outer cancelled'])
})

test('a deadline ends the calls that a call led to', async () => {
  const refused = calling().pass({}, { deadlineMs: 20 })
  await expect(refused).rejects.toMatchObject({ code: 'deadline-exceeded' })
  await over.promise
  expect(told[0]).toMatch(/^(inner|outer) (deadline-exceeded|cancelled)$/)
})

test('a handler that asks for its signal when all is over gets one that says so', async () => {
  const caller = new AbortController()
  const refused = calling().late({}, { signal: caller.signal })
  await arrived.promise
  caller.abort()
  await expect(refused).rejects.toMatchObject({ code: 'cancelled' })
  go.resolve()
  await over.promise
  expect(told).toEqual(['late true cancelled'])
})
