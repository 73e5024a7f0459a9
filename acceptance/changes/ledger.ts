import { openConnection } from '../connection.ts'
import type { Random } from '../fuzz/random.ts'
import { bearer, type Reply, type RequestParts } from '../raw-http.ts'
import { openWorld, type Place, type World } from '../world.ts'

/** An order as its customer sent it, and what was answered. */
export interface Placed {
  readonly key: string
  readonly customer: number
  readonly lines: readonly { readonly sku: string; readonly quantity: number }[]
  /** When it was sent, of this process's clock. */
  readonly at: number
  /** Of the first 201. */
  answer: { readonly id: string; readonly body: string } | undefined
}

export interface Customer {
  readonly id: string
  readonly email: string
  readonly password: string
  token: string
}

/** A shop's customers, products, and every order that was ever sent. */
export interface Ledger {
  readonly world: World
  readonly customers: readonly Customer[]
  /** Who changes products. */
  readonly merchant: Customer
  readonly skus: readonly string[]
  readonly onHand: number
  readonly placed: Placed[]
  /** A new order, as a request; `learn` is told its reply. */
  order(random: Random): {
    readonly parts: RequestParts
    readonly entry: Placed
    readonly learn: (reply: Reply) => void
  }
  requestOf(entry: Placed): RequestParts
  as(customer: number): Readonly<Record<string, string>>
  /** Until it is answered, whatever happens in between. */
  patiently(parts: RequestParts): Promise<Reply>
  /** Access tokens live ten minutes. */
  signInAgain(): Promise<void>
}

const customerCount = 8
const productCount = 20
const onHand = 1_000_000
/** For a request after the other, when all is over. */
const patienceMs = 120_000

export const openLedger = async (place: Place): Promise<Ledger> => {
  const world = await openWorld(place)
  const skus: string[] = []
  for (let at = 0; at < productCount; at++) skus.push(await world.product({ onHand }))
  const customers: Customer[] = []
  for (let at = 0; at < customerCount; at++) customers.push({ ...(await world.register()) })
  const merchant: Customer = { ...world.merchant }
  const placed: Placed[] = []
  const operator = { 'x-serval-operator': place.operatorKey }
  const as = (customer: number) => ({ ...operator, ...bearer(customers[customer]?.token) })
  const requestOf = ({ key, customer, lines }: Placed): RequestParts => ({
    method: 'POST',
    path: '/api/v1/orders',
    headers: { ...as(customer), 'idempotency-key': key },
    body: { lines, payment: { token: 'tok_ok' } },
  })
  const patiently = async (parts: RequestParts): Promise<Reply> => {
    const connection = openConnection(place.address)
    for (const deadline = performance.now() + patienceMs; ;) {
      const reply = await connection.send(parts).catch(() => undefined)
      if (reply !== undefined && reply.status < 500) {
        connection.close()
        return reply
      }
      if (performance.now() > deadline)
        throw new Error(`${parts.method ?? 'GET'} ${parts.path}: no answer but ${reply?.text}`)
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
  return {
    world,
    customers,
    merchant,
    skus,
    onHand,
    placed,
    as,
    requestOf,
    patiently,
    order: (random) => {
      const sku = random.pick(skus)
      const other = random.pick(skus.filter((one) => one !== sku))
      const lines = [
        { sku, quantity: 1 + random.below(3) },
        ...(random.chance(0.5) ? [{ sku: other, quantity: 1 }] : []),
      ]
      const entry: Placed = {
        key: `change-${world.run}-${placed.length}`,
        customer: random.below(customers.length),
        lines,
        at: performance.now(),
        answer: undefined,
      }
      placed.push(entry)
      const learn = (reply: Reply) => {
        if (reply.status === 201)
          entry.answer ??= { id: reply.json<{ id: string }>().id, body: reply.text }
      }
      return { entry, parts: requestOf(entry), learn }
    },
    signInAgain: async () => {
      for (const user of [...customers, merchant]) {
        const { email, password } = user
        const path = '/api/v1/auth/login'
        const reply = await patiently({
          method: 'POST',
          path,
          headers: operator,
          body: { email, password },
        })
        user.token = reply.json<{ accessToken: string }>().accessToken
      }
    },
  }
}
