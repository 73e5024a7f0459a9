import {
  SqlError,
  type SqlDatabase,
  type SqlServer,
  type SqlSession,
} from '../engines/sql/index.ts'

/** Where a process may die: before or after something that outlives it. */
export interface CrashPoints {
  /** Passes a point. Throws when the process dies there, and ever after. */
  pass(point: string): void
  readonly dead: boolean
}

/** Tells the first, second, … pass of a point apart, whatever passes in between. */
const numbered = () => {
  const passed = new Map<string, number>()
  return (point: string): string => {
    const count = (passed.get(point) ?? 0) + 1
    passed.set(point, count)
    return `${point} (${count})`
  }
}

/** Records the points of a clean run. */
export const recordPoints = (): CrashPoints & { readonly points: readonly string[] } => {
  const points: string[] = []
  const name = numbered()
  return { points, dead: false, pass: (point) => void points.push(name(point)) }
}

/** Dies at a recorded point; or when `kill` is called. */
export const dieAt = (recorded?: string): CrashPoints & { kill(): void } => {
  const name = numbered()
  let dead = false
  return {
    get dead() {
      return dead
    },
    kill: () => void (dead = true),
    pass: (point) => {
      if (dead) throw new Died()
      if (name(point) !== recorded) return
      dead = true
      throw new Died()
    },
  }
}

/** What the code of a dead process meets: for it the database is gone. Nothing of it is seen by anyone. */
class Died extends SqlError {
  constructor() {
    super('this process died', { sqlState: '08006', outcome: 'rolled-back' })
  }
}

/** Beats, reports and leases come when they come: they are no part of what is being done. */
const background = /serval_(host|reader|job)\b/

const short = (text: string) => text.trim().replaceAll(/\s+/g, ' ').slice(0, 60)

const writing = /\b(insert|update|delete)\b(?! skip)/i

const session = (
  inner: SqlSession,
  points: CrashPoints,
  writes: (text: string) => void,
): SqlSession => ({
  query: async (text, values) => {
    if (points.dead) throw new Died()
    if (writing.test(text) && !background.test(text)) points.pass(`before ${short(text)}`)
    return inner.query(text, values)
  },
  write: (text, values, guard) => {
    writes(text)
    inner.write(text, values, guard)
  },
  writeRows: (rows) => {
    writes(rows.text)
    inner.writeRows(rows)
  },
})

const database = (inner: SqlDatabase, service: string, points: CrashPoints): SqlDatabase => ({
  read: async (work) => {
    if (points.dead) throw new Died()
    return inner.read(work)
  },
  script: (text) => inner.script(text),
  transaction: async (work) => {
    if (points.dead) throw new Died()
    let wrote: string | undefined
    const value = await inner.transaction(async (given) => {
      const result = await work(
        session(given, points, (text) => {
          if (points.dead) throw new Died()
          if (background.test(text)) return
          points.pass(`${service}: before ${short(text)}`)
          wrote = text
        }),
      )
      if (wrote !== undefined) points.pass(`${service}: before the commit of ${short(wrote)}`)
      else if (points.dead) throw new Died()
      return result
    })
    if (wrote !== undefined) points.pass(`${service}: after the commit of ${short(wrote)}`)
    return value
  },
})

/** A process's view of a database server that outlives it: every write passes a crash point before and after. */
export const crashing = (server: SqlServer, points: CrashPoints): SqlServer => ({
  name: server.name,
  exclusive: server.exclusive,
  open: async (service) => database(await server.open(service), service, points),
  close: () => Promise.resolve(),
})

/** A port whose calls are effects outside: each passes a crash point before and after. */
export const crashingPort = <P extends object>(name: string, port: P, points: CrashPoints): P =>
  new Proxy(port, {
    get: (target, property, receiver) => {
      const value: unknown = Reflect.get(target, property, receiver)
      if (typeof value !== 'function') return value
      return async (...given: unknown[]) => {
        points.pass(`${name}: before ${String(property)}`)
        const result: unknown = await (Reflect.apply(value, target, given) as unknown)
        points.pass(`${name}: after ${String(property)}`)
        return result
      }
    },
  })
