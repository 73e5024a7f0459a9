import { openConnection, type Connection } from '../connection.ts'
import { randomFrom, type Random } from '../fuzz/random.ts'
import { bearer, type Reply, type RequestParts } from '../raw-http.ts'
import { openWorld, type Place, type SignedIn } from '../world.ts'

/*
 * A day of a shop, over and over: mostly reads, cached and not, some orders, a few sign-ins, and what goes wrong.
 */

export interface Traffic {
  /** Sends so many, over some connections. */
  run(requests: number): Promise<void>
  readonly statuses: ReadonlyMap<number, number>
}

const customers = 20
const latestOrders = 200

export const openTraffic = async (place: Place, seed: number, workers = 16): Promise<Traffic> => {
  const world = await openWorld(place)
  const random = randomFrom(seed)
  const skus: string[] = []
  for (let at = 0; at < 30; at++) skus.push(await world.product({ onHand: 1_000_000_000 }))
  const users: {
    id: string
    email: string
    password: string
    token: string
    refreshToken: string
  }[] = []
  for (let at = 0; at < customers; at++) users.push(await world.register())
  const merchant = { ...world.merchant }
  const orders: { readonly id: string; readonly owner: number }[] = []
  const etags = new Map<string, string>()
  const statuses = new Map<number, number>()
  let keys = 0

  const key = { 'x-serval-operator': place.operatorKey }
  const as = (token: string) => ({ ...key, ...bearer(token) })
  const lines = (r: Random) =>
    Array.from({ length: 1 + r.below(3) }, () => ({ sku: r.pick(skus), quantity: 1 + r.below(3) }))
  const someUser = (r: Random) => r.below(users.length)
  const tokenOf = (owner: number) => users[owner]?.token ?? ''

  interface Kind {
    readonly weight: number
    readonly make: (r: Random) => {
      readonly parts: RequestParts
      readonly learn?: (reply: Reply) => void
    }
  }
  const read = (path: string, headers: Record<string, string> = key) => ({
    parts: { path, headers },
  })
  const kinds: readonly Kind[] = [
    { weight: 300, make: (r) => read(`/api/v1/products/${r.pick(skus)}`) },
    {
      weight: 40,
      make: (r) => {
        const path = `/api/v1/products/${r.pick(skus)}`
        const known = etags.get(path)
        return {
          parts: { path, headers: { ...key, ...(known && { 'if-none-match': known }) } },
          learn: ({ headers }) => void (headers['etag'] && etags.set(path, headers['etag'])),
        }
      },
    },
    { weight: 60, make: () => read('/api/v1/products?limit=20') },
    { weight: 30, make: (r) => read(`/api/v1/products?q=word${r.below(1_000)}`) },
    { weight: 20, make: () => read('/api/v1/categories') },
    { weight: 60, make: (r) => read(`/api/v1/stock/${r.pick(skus)}`) },
    {
      weight: 120,
      make: (r) => ({
        parts: { method: 'POST', path: '/api/v1/quotes', headers: key, body: { lines: lines(r) } },
      }),
    },
    {
      weight: 60,
      make: (r) => {
        const owner = someUser(r)
        const token = r.pick(['tok_ok', 'tok_ok', 'tok_ok', 'tok_declined'])
        const headers = { ...as(tokenOf(owner)), 'idempotency-key': `soak-${(keys += 1)}` }
        return {
          parts: {
            method: 'POST',
            path: '/api/v1/orders',
            headers,
            body: { lines: lines(r), payment: { token } },
          },
          learn: (reply) => {
            if (reply.status !== 201) return
            orders.push({ id: reply.json<{ id: string }>().id, owner })
            if (orders.length > latestOrders) orders.shift()
          },
        }
      },
    },
    {
      weight: 70,
      make: (r) => {
        const { id, owner } = orders.length === 0 ? { id: 'none', owner: 0 } : r.pick(orders)
        return read(`/api/v1/orders/${id}`, as(tokenOf(owner)))
      },
    },
    { weight: 40, make: (r) => read('/api/v1/orders', as(tokenOf(someUser(r)))) },
    {
      weight: 10,
      make: (r) => {
        const { id, owner } = orders.length === 0 ? { id: 'none', owner: 0 } : r.pick(orders)
        return read(`/api/v1/orders/${id}/events`, as(tokenOf(owner)))
      },
    },
    { weight: 40, make: (r) => read('/api/v1/users/me', as(tokenOf(someUser(r)))) },
    { weight: 20, make: (r) => read('/api/v1/notifications', as(tokenOf(someUser(r)))) },
    { weight: 5, make: () => read('/api/v1/admin/orders', as(merchant.token)) },
    { weight: 3, make: () => read('/api/v1/analytics/sales?bucket=hour', as(merchant.token)) },
    {
      weight: 6,
      make: (r) => ({
        parts: {
          method: 'PATCH',
          path: `/api/v1/products/${r.pick(skus)}`,
          headers: as(merchant.token),
          body: { description: `word${r.below(1_000)}` },
        },
      }),
    },
    { weight: 10, make: () => read('/health/ready') },
    { weight: 4, make: () => read('/openapi.json') },
    { weight: 40, make: (r) => read(`/api/v1/products/NOT-HERE-${r.below(1_000_000)}`) },
    { weight: 10, make: (r) => read(`/nowhere/${r.below(1_000_000)}`) },
    { weight: 10, make: (r) => read('/api/v1/users/me', as(`garbage-${r.below(1_000_000)}`)) },
    {
      weight: 30,
      make: (r) => ({
        parts: {
          method: 'POST',
          path: '/api/v1/quotes',
          headers: { ...key, 'content-type': 'application/json' },
          body: r.pick(['{', '{"lines":[]}', '{"lines":[{"sku":1}]}', '[]', '{"surprise":1}']),
        },
      }),
    },
    {
      weight: 2,
      make: (r) => {
        const user = users[someUser(r)]
        return {
          parts: {
            method: 'POST',
            path: '/api/v1/auth/refresh',
            headers: key,
            body: { refreshToken: user?.refreshToken ?? '' },
          },
          learn: (reply) => {
            if (user === undefined || reply.status !== 200) return
            const { accessToken, refreshToken } = reply.json<SignedIn>()
            Object.assign(user, { token: accessToken, refreshToken })
          },
        }
      },
    },
    {
      weight: 0.5,
      make: (r) => {
        const email = `nobody-${r.below(1_000_000)}@example.org`
        const body = { email, password: 'not the password' }
        return { parts: { method: 'POST', path: '/api/v1/auth/login', headers: key, body } }
      },
    },
  ]
  const total = kinds.reduce((sum, { weight }) => sum + weight, 0)
  const someKind = (): Kind => {
    let at = (random.below(1_000_000) / 1_000_000) * total
    const found = kinds.find(({ weight }) => (at -= weight) < 0)
    return found ?? (kinds[0] as Kind)
  }

  /** Access tokens live ten minutes. */
  const signInAgain = async () => {
    for (const user of [...users, merchant])
      Object.assign(user, await world.signIn(user.email, user.password))
  }

  const connections: Connection[] = Array.from({ length: workers }, () =>
    openConnection(place.address),
  )
  let signedInAt = performance.now()
  return {
    statuses,
    run: async (requests) => {
      let left = requests
      const worker = async (connection: Connection) => {
        while (left-- > 0) {
          const { parts, learn } = someKind().make(random)
          const reply = await connection.send(parts)
          const status = reply?.status ?? 0
          statuses.set(status, (statuses.get(status) ?? 0) + 1)
          if (reply !== undefined) learn?.(reply)
        }
      }
      if (performance.now() - signedInAt > 5 * 60_000) {
        signedInAt = performance.now()
        await signInAgain()
      }
      await Promise.all(connections.map(worker))
    },
  }
}
