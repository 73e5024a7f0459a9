import { expect, test } from 'vitest'
import { contract } from '../../contract/index.ts'
import { notes, notesService, type Note } from '../../events/notes.suite.ts'
import { service } from '../../service/index.ts'
import type { StoreEngine } from '../../store/engine.ts'
import { repository } from '../../store/repository.ts'
import { eventually, startTestServices, type TestServices } from '../../testing/index.ts'
import { memoryRepository, memoryStores } from './index.ts'

interface Told {
  add(note: Note): void
  all(): Promise<readonly Note[]>
}
const told = repository<Told>({
  scope: 'service',
  engines: {
    memory: async () =>
      memoryRepository<Told>({
        open: (session) => {
          const notes = session.table<Note>('told')
          return {
            add: (note) => notes.put(`${notes.all().length}`, note),
            all: async () => notes.all(),
          }
        },
      }),
  },
})

const readerService = service(contract('reader', { operations: {} }), {
  repositories: { told },
  operations: {},
  subscriptions: (on) => [
    on(notes.events.written, ({ data }, { step }) => step(async (s) => s.told.add(data))),
  ],
})

const start = (stores: StoreEngine) =>
  startTestServices({ services: [notesService, readerService], stores })
const write = (host: TestServices, n: number) =>
  host.client(notes, { kind: 'service', name: 'test' }).write({ key: `k${n % 4}`, n })
const toldAt = async (host: TestServices) =>
  (await host.stores.get('reader')?.read((r) => (r['told'] as Told).all())) ?? []

test('two hosts share the stores: every message is handled once, in the order of its key', async () => {
  const stores = memoryStores()
  const hosts = await Promise.all([start(stores), start(stores)])
  const [one, other] = hosts
  for (let n = 0; n < 40; n++) await write(n % 3 ? one : other, n)
  await eventually(async () => (await toldAt(one)).length >= 40, 'all notes')
  for (const key of ['k0', 'k1', 'k2', 'k3']) {
    const numbers = (await toldAt(other)).filter((note) => note.key === key).map((note) => note.n)
    expect(numbers).toEqual(Array.from({ length: 10 }, (_, i) => i * 4 + Number(key.slice(1))))
  }
  for (const host of hosts) await host.end({ keepServer: true })
})

test('what is started again finds what it left; closed stores are empty', async () => {
  const stores = memoryStores()
  const before = await start(stores)
  await write(before, 1)
  await eventually(async () => (await toldAt(before)).length === 1, 'the note')
  await before.end({ keepServer: true })
  const after = await start(stores)
  await write(after, 2)
  await eventually(async () => (await toldAt(after)).length === 2, 'both notes')
  expect((await toldAt(after)).map((note) => note.n)).toEqual([1, 2])
  await after.end()
  const fresh = await start(stores)
  expect(await toldAt(fresh)).toEqual([])
  await fresh.end()
})
