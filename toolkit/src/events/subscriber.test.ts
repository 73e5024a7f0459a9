import { systemEnv, type Env } from '../base/env.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { failure } from '../base/failure.ts'
import { command, contract, event } from '../contract/index.ts'
import { pglite } from '../engines/pglite/index.ts'
import { sqlRepository, type SqlServer } from '../engines/sql/index.ts'
import { service } from '../service/index.ts'
import { repository } from '../store/repository.ts'
import {
  crashing,
  dieAt,
  eventually,
  startTestServices,
  type TestServices,
} from '../testing/index.ts'

/* A publisher of notes, and a reader that writes down what it was told: `fate` says how each note is to be handled. */

const Note = z.object({
  key: z.string(),
  n: z.int(),
  fate: z.enum(['fine', 'fail', 'fail-twice', 'unavailable-8-times', 'slow', 'ignore']),
})
const notes = contract('notes', {
  operations: {
    write: command({
      summary: 'Publishes notes',
      access: 'internal',
      repeat: 'never',
      input: z.object({ notes: z.array(Note) }),
      output: z.object({}),
    }),
  },
  events: {
    written: event('note.written', { version: 1, key: 'key', data: Note }),
    other: event('note.other', { version: 1, key: 'key', data: Note }),
  },
})
const reader = contract('reader', { operations: {} })

interface Rows {
  add(key: string, n: number): void
  all(): Promise<readonly { key: string; n: number }[]>
}
const rows = repository<Rows>({
  scope: 'service',
  engines: {
    sql: () =>
      Promise.resolve(
        sqlRepository<Rows>({
          migrations: [
            {
              id: 'rows-001',
              sql: 'create table told (seq bigint generated always as identity primary key, key text not null, n bigint not null);',
            },
          ],
          open: (session) => ({
            add: (key, n) => session.write('insert into told (key, n) values ($1, $2)', [key, n]),
            all: () =>
              session.query<{ key: string; n: number }>('select key, n from told order by seq'),
          }),
        }),
      ),
  },
})

const notesService = service(notes, {
  repositories: { rows },
  operations: {
    write: (input, { step }) =>
      step(async (s) => {
        for (const note of input.notes) {
          s.rows.add(note.key, note.n)
          s.emit(note.fate === 'ignore' ? notes.events.other : notes.events.written, note)
        }
        return {}
      }),
  },
})

let tries: Map<string, number>
let slow: { release: () => void; waiting: number }
const readerService = service(reader, {
  repositories: { rows },
  operations: {},
  subscriptions: (on) => [
    on(notes.events.written, async ({ data }, { step }) => {
      const id = `${data.key}/${data.n}`
      const nth = (tries.get(id) ?? 0) + 1
      tries.set(id, nth)
      if (data.fate === 'fail' && !fixed) throw new Error('this note cannot be read')
      if (data.fate === 'fail-twice' && nth <= 2) throw new Error('not yet')
      if (data.fate === 'unavailable-8-times' && nth <= 8)
        throw failure('unavailable', 'the other side is away')
      if (data.fate === 'slow') {
        slow.waiting += 1
        await new Promise<void>((resolve) => {
          const before = slow.release
          slow.release = () => (before(), resolve())
        })
      }
      await step(async (s) => s.rows.add(data.key, data.n))
    }),
  ],
})

let fixed = false
let server: SqlServer
let system: TestServices
const told = async () =>
  (await system.stores.get('reader')!.read((r) => (r['rows'] as Rows).all())) as readonly {
    key: string
    n: number
  }[]
const toldOf = async (key: string) =>
  (await told()).filter((row) => row.key === key).map((row) => row.n)
const write = (...list: z.input<typeof Note>[]) =>
  system.client(notes, { kind: 'service', name: 'test' }).write({ notes: list })
/** A clock that runs ten times as fast: the waits between tries pass, and nobody waits for them. */
const fastEnv = (): Env => {
  const real = systemEnv()
  const start = real.now()
  return {
    ...real,
    now: () => start + (real.now() - start) * 10,
    sleep: (ms, signal) => real.sleep(ms / 10, signal),
    after: (ms, run) => real.after(ms / 10, run),
  }
}
const env = fastEnv()

let life: ReturnType<typeof dieAt>
const start = async () => {
  tries = new Map()
  slow = { release: () => undefined, waiting: 0 }
  life = dieAt()
  system = await startTestServices({
    services: [notesService, readerService],
    server: crashing(server, life),
    env,
  })
}

beforeAll(async () => {
  server = pglite({})
  await start()
})
afterAll(async () => {
  await system.end()
  await server.close()
})

test('messages of a key are handled in order, each once', async () => {
  await write(
    ...Array.from({ length: 50 }, (_, n) => ({ key: `k${n % 5}`, n, fate: 'fine' as const })),
  )
  await eventually(async () => (await told()).length >= 50, 'all notes')
  for (const k of [0, 1, 2, 3, 4])
    expect(await toldOf(`k${k}`)).toEqual(Array.from({ length: 10 }, (_, i) => i * 5 + k))
})

test('a message that fails is held with the later ones of its key, while other keys go on', async () => {
  await write(
    { key: 'a', n: 1, fate: 'fail-twice' },
    { key: 'a', n: 2, fate: 'fine' },
    { key: 'b', n: 1, fate: 'fine' },
  )
  await eventually(async () => (await toldOf('a')).length === 2, 'both notes of a')
  expect(await toldOf('a')).toEqual([1, 2])
  expect(await toldOf('b')).toEqual([1])
  expect(tries.get('a/1')).toBe(3)
  const keys = await system.stores
    .get('reader')!
    .subscriptions.held.keys({ subscription: 'reader', publisher: 'notes' })
  expect(keys).toEqual([])
})

test('unavailability never parks a message', async () => {
  await write({ key: 'c', n: 1, fate: 'unavailable-8-times' })
  await eventually(async () => (await toldOf('c')).length === 1, 'the note')
  expect(tries.get('c/1')).toBe(9)
})

test('after five failures the key is parked, and replayed in order by the operator', async () => {
  await write({ key: 'd', n: 1, fate: 'fail' }, { key: 'd', n: 2, fate: 'fine' })
  const store = system.stores.get('reader')!.subscriptions.held.tries
  const [parked] = await eventually(
    async () => ((await store.parked()).length > 0 ? store.parked() : undefined),
    'the parked message',
  )
  expect(parked).toMatchObject({ failures: 5, parked: true, message: { subject: 'd' } })
  expect(parked?.error).toContain('this note cannot be read')
  await write({ key: 'd', n: 3, fate: 'fine' })
  expect(await toldOf('d')).toEqual([])
  fixed = true
  expect(await store.replay({ subscription: 'reader', publisher: 'notes' }, 'd', env.now())).toBe(
    true,
  )
  await eventually(async () => (await toldOf('d')).length === 3, 'the replayed notes')
  expect(await toldOf('d')).toEqual([1, 2, 3])
  fixed = false
})

test('a parked message can be let go, and its key goes on', async () => {
  await write({ key: 'e', n: 1, fate: 'fail' }, { key: 'e', n: 2, fate: 'fine' })
  const store = system.stores.get('reader')!.subscriptions.held.tries
  await eventually(async () => (await store.parked()).length > 0, 'the parked message')
  expect(await store.discard({ subscription: 'reader', publisher: 'notes' }, 'e', env.now())).toBe(
    true,
  )
  await eventually(async () => (await toldOf('e')).length === 1, 'the note behind it')
  expect(await toldOf('e')).toEqual([2])
})

test('a slow message stops only its own key', async () => {
  const others = Array.from({ length: 40 }, (_, n) => ({ key: `x${n}`, n, fate: 'fine' as const }))
  await write({ key: 'f', n: 1, fate: 'slow' }, { key: 'f', n: 2, fate: 'fine' }, ...others)
  await eventually(
    async () => (await told()).filter((row) => row.key.startsWith('x')).length === 40,
    'all others',
  )
  expect(slow.waiting).toBe(1)
  expect(await toldOf('f')).toEqual([])
  slow.release()
  await eventually(async () => (await toldOf('f')).length === 2, 'the slow one and the next')
  expect(await toldOf('f')).toEqual([1, 2])
})

test('messages that nobody handles are passed over, and the cursor does not stay behind them', async () => {
  await write({ key: 'g', n: 1, fate: 'ignore' }, { key: 'g', n: 2, fate: 'ignore' })
  const heads = async () => (await system.stores.get('notes')!.log.heads()).map((at) => at.position)
  const cursors = async () =>
    (
      await system.stores
        .get('reader')!
        .subscriptions.positions({ subscription: 'reader', publisher: 'notes' })
    ).map((at) => at.position)
  await eventually(
    async () => JSON.stringify(await heads()) === JSON.stringify(await cursors()),
    'the cursors at the heads',
  )
})

test('a new start goes on where the last one stopped, and hands nothing over twice', async () => {
  await write({ key: 'h', n: 1, fate: 'fine' })
  await system.end({ keepServer: true })
  await start()
  await write({ key: 'h', n: 2, fate: 'fine' })
  await eventually(async () => (await toldOf('h')).length === 2, 'both notes')
  expect(await toldOf('h')).toEqual([1, 2])
  expect(new Set((await told()).map((row) => `${row.key}/${row.n}`)).size).toBe(
    (await told()).length,
  )
})

test('a host that was killed while it handled a slow message leaves it to the next', async () => {
  await write({ key: 'i', n: 1, fate: 'slow' })
  await eventually(() => slow.waiting === 1, 'the slow message')
  const held = () =>
    system.stores
      .get('reader')!
      .subscriptions.held.keys({ subscription: 'reader', publisher: 'notes' })
  await eventually(async () => (await held()).length === 1, 'set aside')
  const killed = system
  const letGo = slow.release
  life.kill()
  await start()
  await eventually(() => slow.waiting === 1, 'the next host to try')
  slow.release()
  await eventually(async () => (await toldOf('i')).length === 1, 'the note')
  const ended = killed.end()
  letGo()
  await ended
  expect(await toldOf('i')).toEqual([1])
})

test('ids of messages ascend with the positions of their key', async () => {
  const all = await system.stores.get('notes')!.log.read(
    Array.from({ length: 16 }, (_, partition) => ({ partition, position: 0 })),
    1_000,
  )
  for (const group of Map.groupBy(all, (message) => message.subject).values())
    expect(group.map((message) => message.id)).toEqual(group.map((message) => message.id).sort())
  for (const partition of Map.groupBy(all, (message) => message.partition).values())
    expect(partition.map((message) => message.position)).toEqual(partition.map((_, at) => at + 1))
})
