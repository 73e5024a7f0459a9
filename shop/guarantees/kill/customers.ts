import { setTimeout as pause } from 'node:timers/promises'
import type { Plan, PlannedOrder } from '../../replay/plan.ts'
import type { MortalShop } from './mortal-shop.ts'

/** What the shop acknowledged, kept outside of the process that is killed. */
export interface Acknowledged {
  readonly key: string
  readonly customer: string
  readonly id: string
  readonly body: string
  readonly request: string
}

export const password = 'replay-and-kill'

interface Reply {
  readonly status: number
  readonly body: string
}

/**
 * Customers over HTTP who do not give up: what gets no answer, or an answer that asks for patience, is sent again, the same bytes under the same key.
 */
export const customersOf = (shop: MortalShop) => {
  const tokens = new Map<string, string>()
  const ledger: Acknowledged[] = []
  let inFlight = 0
  let resent = 0

  const once = async (
    method: string,
    path: string,
    options: {
      readonly token?: string | undefined
      readonly key?: string
      readonly body?: string
      readonly operator?: boolean
    },
  ): Promise<Reply> => {
    const headers: Record<string, string> = {
      ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
      ...(options.key === undefined ? {} : { 'idempotency-key': options.key }),
      'x-serval-operator': shop.operatorKey,
    }
    inFlight += 1
    try {
      const address = options.operator === true ? shop.operator : shop.address
      const response = await fetch(new URL(path, address), {
        method,
        headers,
        signal: AbortSignal.timeout(20_000),
        ...(options.body === undefined ? {} : { body: options.body }),
      })
      return { status: response.status, body: await response.text() }
    } finally {
      inFlight -= 1
    }
  }

  const patiently: typeof once = async (method, path, options) => {
    for (let attempt = 0; attempt < 600; attempt++) {
      const reply = await once(method, path, options).catch(() => undefined)
      if (reply !== undefined && reply.status < 500 && reply.status !== 429) return reply
      resent += 1
      await pause(20 + Math.min(attempt, 10) * 10)
    }
    throw new Error(`${method} ${path} got no answer in 600 tries`)
  }

  const signIn = async (email: string, secret: string): Promise<string> => {
    const body = JSON.stringify({ email, password: secret })
    const reply = await patiently('POST', '/api/v1/auth/login', { body })
    if (reply.status !== 200)
      throw new Error(`${email} could not sign in: ${reply.status} ${reply.body}`)
    const { accessToken } = JSON.parse(reply.body) as { accessToken: string }
    tokens.set(email, accessToken)
    return accessToken
  }

  const as = async (
    email: string,
    method: string,
    path: string,
    options: { readonly key?: string; readonly body?: string } = {},
  ): Promise<Reply> => {
    const reply = await patiently(method, path, {
      ...options,
      token: tokens.get(email) ?? (await signIn(email, password)),
    })
    // Access tokens live ten minutes.
    if (reply.status !== 401) return reply
    return patiently(method, path, { ...options, token: await signIn(email, password) })
  }

  return {
    ledger,
    tokens,
    get inFlight() {
      return inFlight
    },
    get resent() {
      return resent
    },
    as,
    operator: async <T>(path: string): Promise<T> =>
      JSON.parse((await patiently('GET', path, { operator: true })).body) as T,
    /** Products, stock and accounts for a plan. */
    prepare: async (plan: Plan): Promise<void> => {
      const token = await signIn('merchant@shop.test', 'serval-demo')
      for (const { sku, name, priceMinor, quantity } of plan.products) {
        const body = JSON.stringify({
          sku,
          name,
          price: { amount: priceMinor, currency: 'GBP' },
          category: 'Kill',
        })
        await patiently('POST', '/api/v1/products', { token, body })
        await patiently('PUT', `/api/v1/stock/${encodeURIComponent(sku)}`, {
          token,
          body: JSON.stringify({ onHand: quantity }),
        })
      }
      for (const { email, name } of plan.customers)
        await patiently('POST', '/api/v1/auth/register', {
          body: JSON.stringify({ email, name, password }),
        })
    },
    place: async (order: PlannedOrder): Promise<void> => {
      const key = `kill-${order.invoice}`
      const request = JSON.stringify({ lines: order.lines, payment: { token: 'tok_ok' } })
      const reply = await as(order.customer.email, 'POST', '/api/v1/orders', { key, body: request })
      if (reply.status !== 201)
        throw new Error(`order ${order.invoice} was refused: ${reply.status} ${reply.body}`)
      const { id } = JSON.parse(reply.body) as { id: string }
      ledger.push({ key, customer: order.customer.email, id, body: reply.body, request })
    },
  }
}

export type Customers = ReturnType<typeof customersOf>
