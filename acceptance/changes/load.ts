import { openConnection, type Connection } from '../connection.ts'
import type { Random } from '../fuzz/random.ts'
import type { Reply } from '../raw-http.ts'
import { kindsOf } from './kinds.ts'
import type { Ledger } from './ledger.ts'

/** A request that was sent, and how it went. */
export interface Sample {
  readonly kind: string
  /** When it was due, of this process's clock. */
  readonly at: number
  /** From when it was due, so that one that had to wait for its turn counts as slow. */
  readonly tookMs: number
  /** 0 without a whole reply. */
  readonly status: number
  readonly failed: boolean
  /** What was answered instead of what should have been. */
  readonly said: string | undefined
}

export interface Load {
  readonly samples: readonly Sample[]
  /** Sends no more, and resolves when all is answered. */
  stop(): Promise<void>
}

/** Connections that are open at least, so that each process with an edge has some. */
const connectionsFirst = 16
const turnMs = 4

/** Sends requests of the mix, each when it is due, over connections that are kept, the one that was used longest ago first. */
const senderOf = (ledger: Ledger, random: Random) => {
  const kinds = kindsOf(ledger, random)
  const total = kinds.reduce((sum, { weight }) => sum + weight, 0)
  const someKind = () => {
    let at = (random.below(1_000_000) / 1_000_000) * total
    return kinds.find(({ weight }) => (at -= weight) <= 0)
  }
  const open = () => openConnection(ledger.world.address, { resend: false })
  const free: Connection[] = Array.from({ length: connectionsFirst }, open)
  const samples: Sample[] = []
  const send = async (at: number): Promise<void> => {
    const kind = someKind()
    if (kind === undefined) return
    const { parts, learn } = kind.make()
    const connection = free.shift() ?? open()
    let reply: Reply | undefined
    let broken = 'no reply: the connection was closed'
    try {
      reply = await connection.send(parts)
    } catch (error) {
      broken = error instanceof Error ? error.message : String(error)
    }
    free.push(connection)
    if (reply !== undefined) learn?.(reply)
    const failed = reply?.status !== kind.status
    const said = failed ? (reply?.text ?? broken).slice(0, 300) : undefined
    const tookMs = performance.now() - at
    samples.push({ kind: kind.name, at, tookMs, status: reply?.status ?? 0, failed, said })
  }
  const close = () => {
    for (const connection of free) connection.close()
  }
  return { send, samples, close }
}

/** Requests a second that the fleet answers when somebody always waits on each of a few connections. */
export const capacityOf = async (ledger: Ledger, random: Random, ms: number): Promise<number> => {
  const { send, samples, close } = senderOf(ledger, random)
  const begun = performance.now()
  const customer = async () => {
    while (performance.now() - begun < ms) await send(performance.now())
  }
  await Promise.all(Array.from({ length: connectionsFirst }, customer))
  close()
  return (samples.length / (performance.now() - begun)) * 1_000
}

/** Sends so many requests a second, whether they are answered or not. A connection that breaks under a request is a failed request. */
export const startLoad = (ledger: Ledger, random: Random, rate: number): Load => {
  const { send, samples, close } = senderOf(ledger, random)
  const underWay = new Set<Promise<void>>()
  const begun = performance.now()
  let sent = 0
  const timer = setInterval(() => {
    for (; begun + (sent * 1_000) / rate <= performance.now(); sent++) {
      const one = send(begun + (sent * 1_000) / rate).finally(() => underWay.delete(one))
      underWay.add(one)
    }
  }, turnMs)
  return {
    samples,
    stop: async () => {
      clearInterval(timer)
      await Promise.all(underWay)
      close()
    },
  }
}
