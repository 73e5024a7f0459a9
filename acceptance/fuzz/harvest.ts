import type { ListedOperation } from '../operations.ts'
import type { Reply } from '../raw-http.ts'
import type { Pool } from './generate.ts'

/** Of each name, the last so many. */
const most = 40

/** Fields of replies by the names under which requests take them. */
const taken: Readonly<Record<string, string>> = {
  sku: 'sku',
  next: 'cursor',
  category: 'category',
  refreshToken: 'refreshToken',
  customerId: 'customer',
  orderId: 'id',
}

/** Ids of these may be named in any request; those of users would have a fuzzer unmake its own callers. */
const idsOf = /^(orders|notifications)\.|^accounts\.sessions$/

export interface Harvest extends Pool {
  add(name: string, value: unknown): void
  /** Remembers what a reply has told. */
  learn(operation: ListedOperation, reply: Reply): void
}

export const harvest = (given: Readonly<Record<string, readonly unknown[]>>): Harvest => {
  const found = new Map<string, unknown[]>()
  const add = (name: string, value: unknown) => {
    const values = found.get(name) ?? []
    found.set(name, values)
    if (values.includes(value)) return
    values.push(value)
    if (values.length > most) values.shift()
  }
  const walk = (value: unknown, withIds: boolean, depth = 0): void => {
    if (typeof value !== 'object' || value === null || depth > 4) return
    if (Array.isArray(value)) {
      for (const item of value.slice(0, 5)) walk(item, withIds, depth + 1)
      return
    }
    for (const [name, inner] of Object.entries(value)) {
      const as = name === 'id' && withIds ? 'id' : taken[name]
      if (as !== undefined && typeof inner === 'string') add(as, inner)
      else walk(inner, withIds, depth + 1)
    }
  }
  return {
    get: (name) => [...(given[name] ?? []), ...(found.get(name) ?? [])],
    add,
    learn: ({ id }, reply) => {
      const { etag } = reply.headers
      if (etag !== undefined) add('etag', etag)
      if (reply.status >= 300 || reply.text === '') return
      if (reply.headers['content-type'] !== 'application/json') return
      walk(reply.json<unknown>(), idsOf.test(id))
    },
  }
}
