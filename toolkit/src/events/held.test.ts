import { afterAll, beforeAll, test } from 'vitest'
import { contract } from '../contract/index.ts'
import { memoryStores } from '../engines/memory/index.ts'
import { service } from '../service/index.ts'
import type { StoreEngine } from '../store/engine.ts'
import { eventually, startTestServices, type TestServices } from '../testing/index.ts'
import { notes, notesService } from './notes.suite.ts'

/* What the subscriber remembers about held messages, against what others do to them. */

const told: number[] = []
const readerService = service(contract('reader', { operations: {} }), {
  operations: {},
  subscriptions: (on) => [
    on(notes.events.written, async ({ data }) => {
      if (data.n === 1) throw new Error('this note cannot be read')
      told.push(data.n)
    }),
  ],
})

/** Counts how often a message is moved to the held ones. */
let held = 0
const counting = (engine: StoreEngine): StoreEngine => ({
  ...engine,
  open: async (...given) => {
    const store = await engine.open(...given)
    const put: typeof store.subscriptions.held.put = (...message) => {
      held += 1
      return store.subscriptions.held.put(...message)
    }
    const { subscriptions } = store
    return { ...store, subscriptions: { ...subscriptions, held: { ...subscriptions.held, put } } }
  },
})

let system: TestServices
beforeAll(async () => {
  system = await startTestServices({
    services: [notesService, readerService],
    stores: counting(memoryStores()),
  })
})
afterAll(() => system.end())

test('when others let go of its held messages, a key is handled at once again', async () => {
  const write = (n: number) =>
    system.client(notes, { kind: 'service', name: 'test' }).write({ key: 'a', n })
  const tries = system.stores.get('reader')!.subscriptions.held.tries
  await write(1)
  await eventually(async () => (await tries.parked()).length > 0, 'the parked message')
  await tries.discard({ subscription: 'reader', publisher: 'notes' }, 'a', Date.now())
  await write(2)
  await eventually(() => told.includes(2), 'the note behind it')
  await eventually(async () => {
    const before = held
    const n = told.length + 10
    await write(n)
    await eventually(() => told.includes(n), 'a later note')
    return held === before
  }, 'a note that is not held')
})
