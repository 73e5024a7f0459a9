import { SqlError } from '../sql/database.ts'
import type { Client } from './client.ts'

export interface Pool {
  /** Waits until a client is free; first come, first served. */
  take(): Promise<Client>
  give(client: Client): void
  end(): Promise<void>
}

const closed = () =>
  new SqlError('the database is closed', { sqlState: '57P01', outcome: 'rolled-back' })

/** So long may somebody wait for a client before there is one more: to make one costs as much processor time as dozens of statements. */
const growMs = 10

/** At most `size` clients: one more when somebody waits for those that there are, and after a loss. */
export const clientPool = (size: number, open: () => Client): Pool => {
  const all = new Set<Client>()
  const idle: Client[] = []
  const waiting: { resolve(client: Client): void; reject(error: Error): void }[] = []
  let over = false
  let growing = false

  const make = () => {
    const client = open()
    all.add(client)
    return client
  }

  const usable = (): Client | undefined => {
    for (let client = idle.pop(); client; client = idle.pop()) {
      if (!client.lost) return client
      all.delete(client)
    }
    return all.size === 0 ? make() : undefined
  }

  const grow = () => {
    if (growing || all.size >= size) return
    growing = true
    setTimeout(() => {
      growing = false
      const next = all.size < size ? waiting.shift() : undefined
      next?.resolve(make())
      if (waiting.length > 0) grow()
    }, growMs)
  }

  return {
    take: () => {
      if (over) return Promise.reject(closed())
      const client = usable()
      if (client) return Promise.resolve(client)
      return new Promise((resolve, reject) => {
        waiting.push({ resolve, reject })
        grow()
      })
    },
    give: (client) => {
      if (client.lost || over) all.delete(client)
      const next = waiting.shift()
      if (next) next.resolve(client.lost ? make() : client)
      else if (!client.lost) idle.push(client)
    },
    end: async () => {
      over = true
      for (const { reject } of waiting.splice(0)) reject(closed())
      await Promise.all([...all].map((client) => client.end()))
    },
  }
}
