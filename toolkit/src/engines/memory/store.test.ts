import { describe, expect, test } from 'vitest'
import { repository } from '../../store/repository.ts'
import { manualEnv } from '../../testing/manual-env.ts'
import {
  storeSuite,
  storeSuiteRepositories,
  type Counters,
  type Pages,
} from '../../testing/store.suite.ts'
import { memoryRepository, memoryStores } from './index.ts'

interface Row {
  readonly value: number
}

const counters = memoryRepository<Counters>({
  open: (session) => {
    const rows = session.table<Row>('counter')
    const value = (key: string) => rows.get(key)?.value ?? 0
    return {
      add: async (key, by) => {
        rows.put(key, { value: value(key) + by })
        return value(key)
      },
      swap: (key, from, to, otherwise) => {
        session.expect(value(key) === from, otherwise)
        rows.put(key, { value: to })
      },
      value: async (key) => value(key),
    }
  },
})

const pages = memoryRepository<Pages>({
  open: (session) => {
    const rows = session.table<Row>('page')
    return {
      touch: (aggregate) => session.touch(aggregate),
      write: (key, n) => rows.put(key, { value: n }),
      writeAndAnswer: async (key, n) => {
        rows.put(key, { value: n })
        return n
      },
      value: async (key) => rows.get(key)?.value,
    }
  },
})

storeSuite('memory', async () => {
  const [engine, env] = [memoryStores(), manualEnv()]
  const repositories = storeSuiteRepositories('memory', {
    counters: () => Promise.resolve(counters),
    pages: () => Promise.resolve(pages),
  })
  const open = () => engine.open('suite', repositories, env)
  return { first: await open(), second: await open(), env, end: () => engine.close() }
})

describe('memory: rows', () => {
  interface Row {
    readonly tags: string[]
    readonly bytes?: Uint8Array
  }
  interface Rows {
    put(row: Row): void
    get(): Promise<Row | undefined>
    keys(): Promise<number>
  }
  const rows = memoryRepository<Rows>({
    open: (session) => {
      const table = session.table<Row>('row')
      return {
        put: (row) => table.put(`${table.all().length}`, row),
        get: async () => table.get('0'),
        keys: async () => table.all().length,
      }
    },
  })
  const open = async () => {
    const engines = { memory: () => Promise.resolve(rows) }
    const declared = { rows: repository<Rows>({ scope: 'service', engines }) }
    const store = await memoryStores().open('rows', declared, manualEnv())
    const of = (repositories: Readonly<Record<string, unknown>>) => repositories['rows'] as Rows
    return {
      put: (row: Row) => store.commit(async (unit) => of(unit.repositories).put(row), false),
      get: () => store.read((repositories) => of(repositories).get()),
      keys: () => store.read((repositories) => of(repositories).keys()),
      step: (work: (rows: Rows) => Promise<void>) =>
        store.commit((unit) => work(of(unit.repositories)), false),
    }
  }

  test('nobody changes a row from outside, neither what was put nor what was read', async () => {
    const { put, get } = await open()
    const given = { tags: ['a'], bytes: Uint8Array.of(1, 2) }
    await put(given)
    given.tags.push('b')
    given.bytes[0] = 9
    const read = await get()
    expect(read).toEqual({ tags: ['a'], bytes: Uint8Array.of(1, 2) })
    read?.bytes?.fill(7)
    expect((await get())?.bytes).toEqual(Uint8Array.of(1, 2))

    const plain = await open()
    await plain.put({ tags: ['a'] })
    expect(Object.isFrozen((await plain.get())?.tags)).toBe(true)
  })

  test('a read sees what is committed, not what a step is about to do', async () => {
    const { step, keys } = await open()
    await step(async (own) => {
      own.put({ tags: [] })
      expect([await own.keys(), await keys()]).toEqual([1, 0])
    })
    expect(await keys()).toBe(1)
  })

  test('a repository without an implementation in memory is refused at the start', async () => {
    const declared = { rows: repository<Rows>({ scope: 'service', engines: {} }) }
    const opening = memoryStores().open('rows', declared, manualEnv())
    await expect(opening).rejects.toMatchObject({ code: 'misconfigured' })
  })
})
