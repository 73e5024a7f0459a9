import { openConnection, type Connection } from '../connection.ts'
import type { Random } from '../fuzz/random.ts'
import type { Reply, RequestParts } from '../raw-http.ts'
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

interface Kind {
  readonly name: string
  readonly weight: number
  readonly status: number
  readonly make: () => { readonly parts: RequestParts; readonly learn?: (reply: Reply) => void }
}

const kindsOf = (ledger: Ledger, random: Random): readonly Kind[] => {
  const { skus, customers, world } = ledger
  const anybody = { 'x-serval-operator': world.operatorKey }
  const somebody = () => ledger.as(random.below(customers.length))
  const read = (path: string, headers: Readonly<Record<string, string>> = anybody) => ({
    parts: { path, headers },
  })
  const known = () => ledger.placed.slice(-200).filter(({ answer }) => answer !== undefined)
  return [
    { name: 'product', weight: 30, status: 200, make: () => read(`/api/v1/products/${random.pick(skus)}`) }, // prettier-ignore
    { name: 'list', weight: 6, status: 200, make: () => read('/api/v1/products?limit=20') },
    { name: 'search', weight: 3, status: 200, make: () => read(`/api/v1/products?q=word${random.below(1_000)}`) }, // prettier-ignore
    { name: 'stock', weight: 6, status: 200, make: () => read(`/api/v1/stock/${random.pick(skus)}`) }, // prettier-ignore
    {
      name: 'quote',
      weight: 12,
      status: 200,
      make: () => {
        const body = { lines: [{ sku: random.pick(skus), quantity: 1 }] }
        return { parts: { method: 'POST', path: '/api/v1/quotes', headers: anybody, body } }
      },
    },
    { name: 'place', weight: 10, status: 201, make: () => ledger.order(random) },
    {
      name: 'order',
      weight: 8,
      status: 200,
      make: () => {
        const orders = known()
        if (orders.length === 0) return read('/api/v1/orders', somebody())
        const { answer, customer } = random.pick(orders)
        return read(`/api/v1/orders/${answer?.id}`, ledger.as(customer))
      },
    },
    { name: 'orders', weight: 4, status: 200, make: () => read('/api/v1/orders', somebody()) },
    { name: 'profile', weight: 4, status: 200, make: () => read('/api/v1/users/me', somebody()) },
    { name: 'mails', weight: 2, status: 200, make: () => read('/api/v1/notifications', somebody()) }, // prettier-ignore
    {
      name: 'amend',
      weight: 0.5,
      status: 200,
      make: () => {
        const headers = { ...anybody, authorization: `Bearer ${world.merchant.token}` }
        const body = { description: `word${random.below(1_000)}` }
        const path = `/api/v1/products/${random.pick(skus)}`
        return { parts: { method: 'PATCH', path, headers, body } }
      },
    },
    { name: 'missing', weight: 4, status: 404, make: () => read(`/api/v1/products/NOT-HERE-${random.below(1_000_000)}`) }, // prettier-ignore
  ]
}

/** Connections that are open at least, so that each process with an edge has some. */
const connectionsFirst = 16
const turnMs = 4

/**
 * Sends so many requests a second, whether they are answered or not, over connections that are kept, the one that was used longest ago first. A
 * connection that breaks under a request is a failed request.
 */
export const startLoad = (ledger: Ledger, random: Random, rate: number): Load => {
  const kinds = kindsOf(ledger, random)
  const total = kinds.reduce((sum, { weight }) => sum + weight, 0)
  const someKind = (): Kind | undefined => {
    let at = (random.below(1_000_000) / 1_000_000) * total
    return kinds.find(({ weight }) => (at -= weight) <= 0)
  }
  const { address } = ledger.world
  const open = () => openConnection(address, { resend: false })
  const free: Connection[] = Array.from({ length: connectionsFirst }, open)
  const samples: Sample[] = []
  const underWay = new Set<Promise<void>>()

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
      for (const connection of free) connection.close()
    },
  }
}
