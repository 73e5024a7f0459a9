import { expect, test } from 'vitest'
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
