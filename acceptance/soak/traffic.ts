import { openConnection, type Connection } from '../connection.ts'
import { randomFrom, type Random } from '../fuzz/random.ts'
import { bearer, type Reply, type RequestParts } from '../raw-http.ts'
import { openWorld, type Place, type SignedIn } from '../world.ts'

/*
 * A day of a shop, over and over: mostly reads, cached and not, some orders, a few sign-ins, and what goes wrong.
 */

export interface Traffic {
  /**
   * Fills what keeps the last so many of something: tokens that were verified, own events. They are bounded, but in mixed
   * traffic it would take a day until they are full.
   */
  fill(): Promise<void>
  /** Sends so many, over some connections. */
  run(requests: number): Promise<void>
  readonly statuses: ReadonlyMap<number, number>
}

const customers = 20
const latestOrders = 200

export interface TrafficOptions {
  readonly seed: number
  /** Names of the kinds of requests that are sent; all, if none. */
  readonly only?: readonly string[]
  readonly workers?: number
}

export const openTraffic = async (
  place: Place,
  { seed, only = [], workers = 16 }: TrafficOptions,
): Promise<Traffic> => {
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
    readonly name: string
    readonly weight: number
    readonly make: (r: Random) => {
      readonly parts: RequestParts
      readonly learn?: (reply: Reply) => void
    }
  }
  const read = (path: string, headers: Record<string, string> = key) => ({
    parts: { path, headers },
  })
  const everyKind: readonly Kind[] = [
    { name: 'product', weight: 300, make: (r) => read(`/api/v1/products/${r.pick(skus)}`) },
    {
      name: 'revalidation',
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
    { name: 'list', weight: 60, make: () => read('/api/v1/products?limit=20') },
    { name: 'search', weight: 30, make: (r) => read(`/api/v1/products?q=word${r.below(1_000)}`) },
    { name: 'categories', weight: 20, make: () => read('/api/v1/categories') },
    { name: 'stock', weight: 60, make: (r) => read(`/api/v1/stock/${r.pick(skus)}`) },
    {
      name: 'quote',
      weight: 120,
      make: (r) => ({
        parts: { method: 'POST', path: '/api/v1/quotes', headers: key, body: { lines: lines(r) } },
      }),
    },
    {
      name: 'place',
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
      name: 'order',
      weight: 70,
      make: (r) => {
        const { id, owner } = orders.length === 0 ? { id: 'none', owner: 0 } : r.pick(orders)
        return read(`/api/v1/orders/${id}`, as(tokenOf(owner)))
      },
    },
    { name: 'orders', weight: 40, make: (r) => read('/api/v1/orders', as(tokenOf(someUser(r)))) },
    {
      name: 'events',
      weight: 10,
      make: (r) => {
        const { id, owner } = orders.length === 0 ? { id: 'none', owner: 0 } : r.pick(orders)
        return read(`/api/v1/orders/${id}/events`, as(tokenOf(owner)))
      },
    },
    {
      name: 'profile',
      weight: 40,
      make: (r) => read('/api/v1/users/me', as(tokenOf(someUser(r)))),
    },
    {
      name: 'notifications',
      weight: 20,
      make: (r) => read('/api/v1/notifications', as(tokenOf(someUser(r)))),
    },
    { name: 'all-orders', weight: 5, make: () => read('/api/v1/admin/orders', as(merchant.token)) },
    {
      name: 'sales',
      weight: 3,
      make: () => read('/api/v1/analytics/sales?bucket=hour', as(merchant.token)),
    },
    {
      name: 'amend',
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
    { name: 'health', weight: 10, make: () => read('/health/ready') },
    { name: 'document', weight: 4, make: () => read('/openapi.json') },
    {
      name: 'missing',
      weight: 40,
      make: (r) => read(`/api/v1/products/NOT-HERE-${r.below(1_000_000)}`),
    },
    { name: 'nowhere', weight: 10, make: (r) => read(`/nowhere/${r.below(1_000_000)}`) },
    {
      name: 'garbage',
      weight: 10,
      make: (r) => read('/api/v1/users/me', as(`garbage-${r.below(1_000_000)}`)),
    },
    {
      name: 'bad-input',
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
      name: 'refresh',
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
      name: 'wrong-password',
      weight: 0.5,
      make: (r) => {
        const email = `nobody-${r.below(1_000_000)}@example.org`
        const body = { email, password: 'not the password' }
        return { parts: { method: 'POST', path: '/api/v1/auth/login', headers: key, body } }
      },
    },
  ]
  const kinds = everyKind.filter(({ name }) => only.length === 0 || only.includes(name))
  const total = kinds.reduce((sum, { weight }) => sum + weight, 0)
  const someKind = (): Kind => {
    let at = (random.below(1_000_000) / 1_000_000) * total
    const found = kinds.find(({ weight }) => (at -= weight) <= 0)
    if (found === undefined) throw new Error('there is no such kind of request')
    return found
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
  /** So many bounded stores keep. */
  const mostKept = 10_500
  const fillTokens = async (connection: Connection, user: (typeof users)[number]) => {
    for (let left = mostKept / users.length; left > 0; left--) {
      const { refreshToken } = user
      const body = { refreshToken }
      const path = '/api/v1/auth/refresh'
      const reply = await connection.send({ method: 'POST', path, headers: key, body })
      const next = reply?.json<SignedIn>()
      Object.assign(user, { token: next?.accessToken, refreshToken: next?.refreshToken })
      await connection.send({ path: '/api/v1/users/me', headers: as(user.token) })
    }
  }
  const fillEvents = async (connection: Connection, sku: string) => {
    for (let left = mostKept / skus.length; left > 0; left--)
      await connection.send({
        method: 'PATCH',
        path: `/api/v1/products/${sku}`,
        headers: as(merchant.token),
        body: { description: `word${left}` },
      })
  }

  return {
    statuses,
    fill: async () => {
      const each = async <T>(
        items: readonly T[],
        work: (connection: Connection, item: T) => Promise<void>,
      ) => {
        const waiting = [...items]
        await Promise.all(
          connections.map(async (connection) => {
            for (let item = waiting.shift(); item !== undefined; item = waiting.shift())
              await work(connection, item)
          }),
        )
      }
      await each(users, fillTokens)
      await each(skus, fillEvents)
    },
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
