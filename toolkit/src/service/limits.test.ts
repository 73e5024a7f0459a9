import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { command, contract, event, query } from '../contract/index.ts'
import { memoryStores } from '../engines/memory/index.ts'
import { startTestServices, type TestServices } from '../testing/index.ts'
import { service } from './index.ts'

/* What a handler may not do, whatever it tries: each operation breaks one rule. */

const nothing = z.object({})
const rule = (summary: string) =>
  command({ summary, access: 'public', repeat: 'natural', input: nothing, output: nothing })
const other = contract('other', {
  operations: {
    ask: query({
      summary: 'Answers',
      access: 'internal',
      input: z.object({ n: z.int().default(0) }),
      output: nothing,
    }),
  },
  events: {
    happened: event('other.happened', {
      version: 1,
      key: 'id',
      data: z.object({ id: z.string() }),
    }),
  },
})
const breaker = contract('breaker', {
  operations: {
    secondStep: rule('Runs two steps'),
    callInStep: rule('Calls inside a step'),
    foreignEvent: rule('Emits the event of another service'),
    unknownJob: rule('Sets a job that nobody runs'),
    wrongEvent: rule('Emits data that its event does not allow'),
    wrongCall: rule('Calls with an input that the other refuses'),
    wrongOutput: command({
      summary: 'Answers nonsense',
      access: 'public',
      repeat: 'natural',
      input: nothing,
      output: z.object({ n: z.int() }),
    }),
    fine: rule('Calls, then makes a step'),
  },
  events: {
    happened: event('breaker.happened', {
      version: 1,
      key: 'id',
      data: z.object({ id: z.string() }),
    }),
  },
})

const otherService = service(other, { operations: { ask: async () => ({}) } })
const breakerService = service(breaker, {
  uses: { other },
  operations: {
    secondStep: async (_, { step }) => {
      await step(async () => undefined)
      return step(async () => ({}))
    },
    callInStep: (_, { step, uses }) => step(() => uses.other.ask({})),
    foreignEvent: (_, { step }) =>
      step(async (s) => (s.emit(other.events.happened, { id: 'a' }), {})),
    unknownJob: (_, { step }) => step(async (s) => (s.schedule('nobody', { key: 'k', at: 0 }), {})),
    // The type checker refuses all three of these; a service in plain JavaScript has none.
    wrongEvent: (_, { step }) =>
      step(async (s) => (s.emit(breaker.events.happened, { id: 1 } as never), {})),
    wrongCall: (_, { uses }) => uses.other.ask({ n: 'one' } as never),
    wrongOutput: async () => ({ n: 1.5 }),
    fine: async (_, { step, uses }) => {
      await uses.other.ask({})
      return step(async () => ({}))
    },
  },
})

let system: TestServices
beforeAll(async () => {
  system = await startTestServices({
    services: [breakerService, otherService],
    stores: memoryStores(),
  })
})
afterAll(() => system.end())

test.each([
  ['secondStep', 'second-step'],
  ['callInStep', 'call-in-step'],
  ['foreignEvent', 'internal'],
  ['unknownJob', 'internal'],
  ['wrongEvent', 'invalid-output'],
  ['wrongCall', 'internal'],
  ['wrongOutput', 'invalid-output'],
] as const)('%s fails with %s', async (operation, code) => {
  const client = system.client(breaker, { kind: 'anonymous' })
  const failed = await client[operation]({}).catch((error: unknown) => error)
  expect(failed).toMatchObject({ code })
})

test('a call before the step is what a handler may do', async () => {
  expect(await system.client(breaker, { kind: 'anonymous' }).fine({})).toEqual({})
})
