import { expect, test } from 'vitest'
import { failure } from '../base/failure.ts'
import { contract } from '../contract/index.ts'
import { memoryStores } from '../engines/memory/index.ts'
import { service } from '../service/index.ts'
import type { StoreEngine } from '../store/engine.ts'
import type { HeldStore } from '../store/store.ts'
import { eventually, startTestServices } from '../testing/index.ts'
import { notes, notesService } from './notes.suite.ts'

/* A store that goes away for a moment, while this host has claimed a held message: nobody waits for the claim's minute. */

const lost = () => failure('unknown-outcome')

/** A store whose reader's held messages are reached through `around`. */
const losing = (around: (held: HeldStore) => HeldStore): StoreEngine => {
  const engine = memoryStores()
  return {
    ...engine,
    open: async (name, ...given) => {
      const store = await engine.open(name, ...given)
      if (name !== 'reader') return store
      const { subscriptions } = store
      return { ...store, subscriptions: { ...subscriptions, held: around(subscriptions.held) } }
    },
  }
}

const handledBy = async (
  stores: StoreEngine,
  handle: (nth: number) => Promise<unknown>,
): Promise<void> => {
  let tries = 0
  let handled = false
  const reader = service(contract('reader', { operations: {} }), {
    operations: {},
    subscriptions: (on) => [
      on(notes.events.written, async () => {
        await handle((tries += 1))
        handled = true
      }),
    ],
  })
  const system = await startTestServices({ services: [notesService, reader], stores })
  await system.client(notes, { kind: 'service', name: 'test' }).write({ key: 'a', n: 1 })
  await eventually(() => handled, 'the note')
  const { held } = system.stores.get('reader')!.subscriptions
  const keys = () => held.keys({ subscription: 'reader', publisher: 'notes' })
  await eventually(async () => (await keys()).length === 0, 'the end of the held message')
  expect(tries).toBeLessThan(6)
  await system.end()
}

const failsTwice = async (nth: number) => {
  if (nth <= 2) throw failure('unavailable')
}

test('a message whose failed try could not be written down is tried again soon', async () => {
  let losses = 1
  const stores = losing((held) => ({
    ...held,
    tries: {
      ...held.tries,
      failed: async (...given) => {
        if (losses-- > 0) throw lost()
        return held.tries.failed(...given)
      },
    },
  }))
  await handledBy(stores, failsTwice)
})

test('a claim whose answer was lost is made again', async () => {
  let losses = 1
  const stores = losing((held) => ({
    ...held,
    claim: async (...given) => {
      const claimed = await held.claim(...given)
      if (claimed.length > 0 && losses-- > 0) throw lost()
      return claimed
    },
  }))
  await handledBy(stores, failsTwice)
})

test('a message that was set aside without our learning of it is handled', async () => {
  let losses = 1
  const stores = losing((held) => ({
    ...held,
    put: async (...given) => {
      await held.put(...given)
      if (losses-- > 0) throw lost()
    },
  }))
  await handledBy(stores, async (nth) => {
    if (nth === 1) await eventually(() => losses <= 0, 'the message is set aside')
  })
})
