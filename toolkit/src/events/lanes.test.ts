import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { failure } from '../base/failure.ts'
import { command, contract, event } from '../contract/index.ts'
import { pglite } from '../engines/pglite/index.ts'
import { sqlRepository, type SqlServer } from '../engines/sql/index.ts'
import { service } from '../service/index.ts'
import { repository } from '../store/repository.ts'
import { eventually, startTestServices, type TestServices } from '../testing/index.ts'

/*
 * Messages of different keys are handled at the same time, and their steps commit together. Whatever their handlers do, each has its effect once, those of
 * a key in order, and the cursor ends at the head.
 */

const Note = z.object({
  key: z.string(),
  n: z.int(),
  does: z.enum([
    'writes',
    'waits',
    'reads-in-step',
    'no-step',
    'fails-once',
    'away-once',
    'long',
    'other',
  ]),
})
type Does = z.output<typeof Note>['does']
const notes = contract('notes', {
  operations: {
    write: command({
      summary: 'Publishes',
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
const notesService = service(notes, {
  operations: {
    write: (input, { step }) =>
      step(async (s) => {
        for (const note of input.notes)
          s.emit(note.does === 'other' ? notes.events.other : notes.events.written, note)
        return {}
      }),
  },
})

interface Told {
  add(key: string, n: number): void
  count(): Promise<number>
  all(): Promise<readonly { key: string; n: number }[]>
}
const told = repository<Told>({
  scope: 'service',
  engines: {
    sql: () =>
      Promise.resolve(
        sqlRepository<Told>({
          migrations: [
            {
              id: 'told-001',
              sql: 'create table told (seq bigint generated always as identity primary key, key text not null, n bigint not null);',
            },
          ],
          open: (session) => ({
            add: (key, n) =>
              session.writeRows({
                text: 'insert into told (key, n) select * from unnest($1::text[], $2::bigint[])',
                columns: [[key], [n]],
              }),
            count: async () =>
              (await session.query<{ n: number }>('select count(*) as n from told'))[0]?.n ?? 0,
            all: () =>
              session.query<{ key: string; n: number }>('select key, n from told order by seq'),
          }),
        }),
      ),
  },
})

const tries = new Map<string, number>()
/** Handlers at work: by key, and the most there were at once. */
const working = new Map<string, number>()
let most = 0
let together = false
const readerService = service(contract('reader', { operations: {} }), {
  repositories: { told },
  operations: {},
  subscriptions: (on) => [
    on(notes.events.written, async ({ data: { key, n, does } }, { env, step }) => {
      const id = `${key}/${n}`
      const nth = (tries.get(id) ?? 0) + 1
      tries.set(id, nth)
      together ||= (working.get(key) ?? 0) > 0
      working.set(key, (working.get(key) ?? 0) + 1)
      most = Math.max(
        most,
        [...working.values()].reduce((sum, count) => sum + count, 0),
      )
      try {
        if (does === 'waits') await env.sleep(n % 7)
        if (does === 'long') await eventually(() => isHeld(key), 'to be set aside')
        if (does === 'fails-once' && nth === 1) throw new Error('not yet')
        if (does === 'away-once' && nth === 1) throw failure('unavailable')
        if (does === 'no-step') return
        await step(async (s) => {
          if (does === 'reads-in-step') await s.told.count()
          s.told.add(key, n)
        })
      } finally {
        working.set(key, (working.get(key) ?? 0) - 1)
      }
    }),
  ],
})

let server: SqlServer
let system: TestServices
beforeAll(async () => {
  server = pglite({})
  system = await startTestServices({ services: [notesService, readerService], server })
})
afterAll(async () => {
  await system.end()
  await server.close()
})

const id = { subscription: 'reader', publisher: 'notes' }
const isHeld = async (key: string) => {
  const held = await system.stores.get('reader')?.subscriptions.held.keys(id)
  return held?.some((row) => row.key === key) === true
}

let runs = 0
const publish = async (plan: readonly { key: string; does: Does }[]) => {
  runs += 1
  const list = plan.map(({ key, does }, n) => ({ key: `${runs}/${key}`, n, does }))
  await system.client(notes, { kind: 'service', name: 'test' }).write({ notes: list })
  const store = system.stores.get('reader')
  await eventually(async () => {
    const heads = await system.stores.get('notes')?.log.heads()
    const read = await store?.subscriptions.positions(id)
    const held = await store?.subscriptions.held.keys(id)
    return held?.length === 0 && JSON.stringify(heads) === JSON.stringify(read)
  }, 'the end of the log')
  const rows = (await store?.read((r) => (r['told'] as Told).all())) ?? []
  const ours = rows.filter(({ key }) => key.startsWith(`${runs}/`))
  for (const key of new Set(list.map((note) => note.key)))
    expect(ours.filter((row) => row.key === key).map((row) => row.n)).toEqual(
      list
        .filter((note) => note.key === key && note.does !== 'no-step' && note.does !== 'other')
        .map((note) => note.n),
    )
}

test('each message has its effect once and a key keeps its order, whatever the handlers do', async () => {
  const note = fc.record({
    key: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'),
    does: fc.constantFrom<Does>(
      'writes', 'writes', 'waits', 'reads-in-step', 'no-step', 'fails-once', 'away-once', 'other'), // prettier-ignore
  })
  await fc.assert(fc.asyncProperty(fc.array(note, { minLength: 1, maxLength: 60 }), publish), {
    numRuns: 8,
  })
  expect(together).toBe(false)
}, 60_000)

test('many are handled at the same time', async () => {
  most = 0
  await publish(Array.from({ length: 120 }, (_, n) => ({ key: `k${n}`, does: 'waits' as const })))
  expect(most).toBeGreaterThan(20)
  // Each once: nobody's step came too early.
  for (const [id, count] of tries) if (id.startsWith(`${runs}/`)) expect(count).toBe(1)
})

test('one that fails in the middle takes nobody with it', async () => {
  const does = (n: number): Does => (n % 10 === 4 ? 'fails-once' : 'writes')
  await publish(Array.from({ length: 60 }, (_, n) => ({ key: `k${n}`, does: does(n) })))
})

test('those that take long are set aside, and hold up nobody', async () => {
  const does = (n: number): Does => (n % 20 === 7 ? 'long' : 'writes')
  await publish(Array.from({ length: 80 }, (_, n) => ({ key: `k${n % 50}`, does: does(n) })))
  expect(together).toBe(false)
})
