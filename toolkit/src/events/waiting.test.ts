import { expect, test } from 'vitest'
import { z } from 'zod'
import { systemEnv, type Env } from '../base/env.ts'
import { failure } from '../base/failure.ts'
import { command, contract, event } from '../contract/index.ts'
import { memoryStores } from '../engines/memory/index.ts'
import { service } from '../service/index.ts'
import { eventually, startTestServices } from '../testing/index.ts'
import { Note } from './notes.suite.ts'

/* A subscription of which one type's handlers cannot go on, and what that means for the others. */

const many = 600
const notes = contract('notes', {
  operations: {
    write: command({
      summary: 'Publishes many notes, and then a letter',
      access: 'internal',
      repeat: 'never',
      input: z.object({ keys: z.int() }),
      output: z.object({}),
    }),
  },
  events: {
    written: event('note.written', { version: 1, key: 'key', data: Note }),
    letter: event('note.letter', { version: 1, key: 'key', data: Note }),
  },
})
const notesService = service(notes, {
  operations: {
    write: ({ keys }, { step }) =>
      step(async (s) => {
        for (let n = 0; n < many; n++) s.emit(notes.events.written, { key: `k${n % keys}`, n })
        // One in each partition, behind them.
        for (let n = 0; n < 100; n++) s.emit(notes.events.letter, { key: `letter ${n}`, n })
        return {}
      }),
  },
})

interface Handling {
  /** Before the step of each note. */
  readonly handle?: (note: Note) => Promise<unknown>
  /** Behind it. */
  readonly after?: () => Promise<unknown>
  readonly keys?: number
  readonly env?: Env
}

/** Handles notes, and counts what was tried and what was told. */
const started = async ({ handle, after, keys: of = many / 2, env = systemEnv() }: Handling) => {
  const seen = { tries: 0, letters: 0, told: [] as Note[] }
  const reader = service(contract('reader', { operations: {} }), {
    operations: {},
    subscriptions: (on) => [
      on(notes.events.written, async ({ data }, { step }) => {
        seen.tries += 1
        await handle?.(data)
        await step(async () => void seen.told.push(data))
        await after?.()
      }),
      on(notes.events.letter, async (_, { step }) => {
        await step(async () => void (seen.letters += 1))
      }),
    ],
  })
  const system = await startTestServices({
    services: [notesService, reader],
    stores: memoryStores(),
    env,
  })
  const { held } = system.stores.get('reader')!.subscriptions
  const keys = () => held.keys({ subscription: 'reader', publisher: 'notes' })
  const heldNow = async () => (await keys()).reduce((sum, { count }) => sum + count, 0)
  await system.client(notes, { kind: 'service', name: 'test' }).write({ keys: of })
  return { system, seen, heldNow }
}

test('while what they call is away, messages wait untried, others go on, and none is lost', async () => {
  let away = true
  const handle = async () => {
    if (away) throw failure('unavailable', 'payments are away')
  }
  const { system, seen, heldNow } = await started({ handle })
  await eventually(() => seen.letters === 100, 'the letters')
  await eventually(async () => (await heldNow()) === many, 'the notes to be held')
  expect(seen.tries).toBeLessThan(many / 2)
  away = false
  await eventually(() => seen.told.length >= many, 'the notes')
  const inOrder = seen.told.toSorted((a, b) => a.n - b.n)
  expect(inOrder.map(({ n }) => n)).toEqual(inOrder.map((_, n) => n))
  for (const of of Map.groupBy(seen.told, ({ key }) => key).values())
    expect(of.map(({ n }) => n)).toEqual(of.map(({ n }) => n).sort((a, b) => a - b))
  await eventually(async () => (await heldNow()) === 0, 'nothing to be held')
  await system.end()
})

test('messages that take for ever, however many, stop no others', async () => {
  let release = () => undefined as void
  const open = new Promise<void>((resolve) => (release = resolve))
  const { system, seen } = await started({ handle: () => open })
  await eventually(() => seen.letters === 100, 'the letters')
  release()
  await eventually(() => seen.told.length >= many, 'the notes')
  await system.end()
})

test('a key of which one message failed keeps up with what is written', async () => {
  let failures = 1
  const handle = async () => {
    if (failures-- > 0) throw failure('unavailable')
  }
  const { system, seen } = await started({ handle, keys: 1 })
  await eventually(() => seen.told.length >= many, 'the notes')
  await system.end()
})

test('what is unavailable after a step has committed is no reason to wait', async () => {
  const after = () => Promise.reject(failure('unavailable'))
  const { system, seen, heldNow } = await started({ after })
  await eventually(() => seen.told.length >= many, 'the notes')
  expect(seen.tries).toBe(many)
  await eventually(async () => (await heldNow()) === 0, 'nothing to be held')
  await system.end()
})

test('behind a message that takes long its key goes on, also where the clock stands still', async () => {
  const now = Date.now()
  const env = { ...systemEnv(), now: () => now }
  let release = () => undefined as void
  const open = new Promise<void>((resolve) => (release = resolve))
  const handle = ({ n }: Note) => (n === 0 ? open : Promise.resolve())
  const { system, seen, heldNow } = await started({ handle, keys: 1, env })
  await eventually(async () => (await heldNow()) === many, 'all notes to be held')
  release()
  await eventually(() => seen.told.length >= many, 'the notes')
  await system.end()
})
