import type { Contender } from './contenders/index.ts'

/** The same products and customers for every contender, made over its public API; stock is ample. */

const productCount = 200
const customerCount = 20

export const benchSkus: readonly string[] = Array.from(
  { length: productCount },
  (_, n) => `BENCH-${String(n).padStart(4, '0')}`,
)
export const customers = Array.from({ length: customerCount }, (_, n) => ({
  email: `customer-${n}@bench.test`,
  password: 'bench-password',
  name: `Customer ${n}`,
}))
const merchant = { email: 'merchant@shop.test', password: 'serval-demo' }

const productOf = (sku: string, n: number) => ({
  sku,
  name: `Bench product ${n}`,
  description: 'Made for measuring: neither small nor large, with a few words to carry about.',
  price: { amount: 100 + 37 * n, currency: 'GBP' },
  category: `Bench ${n % 10}`,
  attributes: { colour: 'grey', size: 'medium' },
})

interface SignedIn {
  readonly accessToken: string
}

const callerOf =
  ({ address, operatorKey }: Contender) =>
  async <T>(method: string, path: string, body: unknown, token?: string): Promise<T> => {
    const response = await fetch(`http://${address.host}:${address.port}${path}`, {
      method,
      headers: {
        'content-type': 'application/json',
        'x-serval-operator': operatorKey,
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(body),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
    return JSON.parse(text) as T
  }

export const prepare = async (contender: Contender): Promise<void> => {
  const call = callerOf(contender)
  const { accessToken } = await call<SignedIn>('POST', '/api/v1/auth/login', merchant)
  for (const [n, sku] of benchSkus.entries()) {
    await call('POST', '/api/v1/products', productOf(sku, n), accessToken)
    await call('PUT', `/api/v1/stock/${sku}`, { onHand: 100_000_000 }, accessToken)
  }
  for (const customer of customers) await call('POST', '/api/v1/auth/register', customer)
}

/** Access tokens of all customers. */
export const signIn = async (contender: Contender): Promise<readonly string[]> => {
  const call = callerOf(contender)
  const tokens: string[] = []
  for (const { email, password } of customers)
    tokens.push(
      (await call<SignedIn>('POST', '/api/v1/auth/login', { email, password })).accessToken,
    )
  return tokens
}
