/** What a round sends; each kind is the same bytes for every contender, but for its tokens and its key. */
export type Traffic =
  | {
      readonly kind: 'orders'
      readonly skus: readonly string[]
      readonly tokens: readonly string[]
      /** Makes the idempotency keys of this round unlike those of all others. */
      readonly run: string
      /** Makes the orders of this round: the same number, the same orders. */
      readonly seed: number
    }
  | { readonly kind: 'reads'; readonly skus: readonly string[] }
  /** Each product once: `COLD-7`, `COLD-8` … from the number `from`. */
  | { readonly kind: 'first-reads'; readonly from: number }
  | { readonly kind: 'logins'; readonly accounts: readonly Account[] }
  | { readonly kind: 'registrations'; readonly run: string }

export interface Account {
  readonly email: string
  readonly password: string
}

export interface Target {
  readonly host: string
  readonly port: number
  /** The key that lifts the shop's rate limits; sent to all contenders, so that all read the same headers. */
  readonly operatorKey: string
}

export const expectedStatus = {
  orders: 201,
  reads: 200,
  'first-reads': 200,
  logins: 200,
  registrations: 201,
} as const

export const coldSku = (n: number | ''): string => `COLD-${n}`

/** Numbers from 0 to 1 (mulberry32): the same orders for everybody. */
const randomFrom = (seed: number) => () => {
  seed = (seed + 0x6d2b79f5) | 0
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
}

/** One to three lines of one to three units each; every sixteenth order names a SKU twice. */
const orderBody = (skus: readonly string[], random: () => number): string => {
  const pick = (n: number) => Math.floor(random() * n)
  const lines = Array.from({ length: 1 + pick(3) }, () => ({
    sku: skus[pick(skus.length)],
    quantity: 1 + pick(3),
  }))
  if (pick(16) === 0 && lines[0] !== undefined) lines.push({ ...lines[0] })
  return JSON.stringify({ lines, payment: { token: 'tok_ok' } })
}

const variants = 1_000

/** Makes the bytes of one request after the other. */
export const requestsOf = (
  traffic: Traffic,
  { host, port, operatorKey }: Target,
): (() => string) => {
  const common = `host: ${host}:${port}\r\naccept: application/json\r\nx-serval-operator: ${operatorKey}\r\n`
  const post = (path: string, headers: string, body: string) =>
    `POST ${path} HTTP/1.1\r\n${common}${headers}content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
  const get = (path: string) => `GET ${path} HTTP/1.1\r\n${common}\r\n`
  let count = 0
  switch (traffic.kind) {
    case 'orders': {
      const random = randomFrom(traffic.seed)
      const bodies = Array.from({ length: variants }, () => {
        const body = orderBody(traffic.skus, random)
        return `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`
      })
      const heads = traffic.tokens.map(
        (token) =>
          `POST /api/v1/orders HTTP/1.1\r\n${common}authorization: Bearer ${token}\r\nidempotency-key: ${traffic.run}-`,
      )
      return () => {
        const n = count++
        return `${heads[n % heads.length]}${n}\r\n${bodies[n % variants]}`
      }
    }
    case 'reads': {
      const all = traffic.skus.map((sku) => get(`/api/v1/products/${sku}`))
      return () => all[count++ % all.length] ?? ''
    }
    case 'first-reads':
      return () => get(`/api/v1/products/${coldSku(traffic.from + count++)}`)
    case 'logins': {
      const all = traffic.accounts.map((account) =>
        post('/api/v1/auth/login', '', JSON.stringify(account)),
      )
      return () => all[count++ % all.length] ?? ''
    }
    case 'registrations':
      return () => {
        const n = count++
        const account = {
          email: `${traffic.run}-${n}@bench.test`,
          password: 'bench-password',
          name: 'Bea Bench',
        }
        return post('/api/v1/auth/register', '', JSON.stringify(account))
      }
  }
}
