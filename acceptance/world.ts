import { bearer, send, type Reply } from './raw-http.ts'
import { until } from './until.ts'

/*
 * A shop that somebody runs, somewhere, as its users see it. Nothing is assumed of what it holds: users and products are
 * made here, under names that no other run uses.
 */

export interface Place {
  readonly address: string
  readonly operator: string
  readonly operatorKey: string
}

export interface User {
  readonly id: string
  readonly email: string
  readonly password: string
  readonly token: string
  readonly refreshToken: string
}

export interface Asked {
  readonly as?: User | string | undefined
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

export interface SignedIn {
  readonly user: { readonly id: string; readonly email: string; readonly roles: string[] }
  readonly accessToken: string
  readonly expiresIn: number
  readonly refreshToken: string
}

export interface Order {
  readonly id: string
  readonly status: string
  readonly reason?: string
  readonly refunded?: boolean
  readonly total: { readonly amount: number; readonly currency: string }
}

/** The claims of a token, unverified. */
export const claimsOf = (token: string): Readonly<Record<string, unknown>> =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<
    string,
    unknown
  >

/** What is made here to be used is refused by no shop that works. */
const must = (reply: Reply, status: number): void => {
  if (reply.status !== status)
    throw new Error(`the reply is ${reply.status}, not ${status}: ${reply.text}`)
}

export const openWorld = async ({ address, operator, operatorKey }: Place) => {
  const run = `${Date.now().toString(36)}${Math.random().toString(36).slice(2, 6)}`
  let count = 0
  /** A name that nobody has used. */
  const fresh = (what: string) => `${what}-${run}-${(count += 1)}`

  /** `METHOD /path`, as somebody. The operator's key goes along: it lifts the limits of how much may be sent. */
  const ask = (request: string, { as, body, headers }: Asked = {}): Promise<Reply> => {
    const [method = '', path = ''] = request.split(/ (.*)/s)
    const token = typeof as === 'object' ? as.token : as
    return send(address, {
      method,
      path,
      headers: {
        'x-serval-operator': operatorKey,
        ...(token === undefined ? {} : bearer(token)),
        ...headers,
      },
      ...(body === undefined ? {} : { body }),
    })
  }

  /** The same on the operator's address. */
  const operate = (request: string, body?: unknown): Promise<Reply> => {
    const [method = '', path = ''] = request.split(/ (.*)/s)
    const headers = { 'x-serval-operator': operatorKey }
    return send(operator, { method, path, headers, ...(body === undefined ? {} : { body }) })
  }

  const userOf = (reply: Reply, password: string): User => {
    const { user, accessToken, refreshToken } = reply.json<SignedIn>()
    return { id: user.id, email: user.email, password, token: accessToken, refreshToken }
  }
  const signIn = async (email: string, password: string): Promise<User> => {
    const reply = await ask('POST /api/v1/auth/login', { body: { email, password } })
    must(reply, 200)
    return userOf(reply, password)
  }
  const register = async (given: { email?: string; name?: string } = {}): Promise<User> => {
    const { email = `${fresh('user')}@example.org`, name = 'Robin Reader' } = given
    const password = fresh('password')
    const reply = await ask('POST /api/v1/auth/register', { body: { email, password, name } })
    must(reply, 201)
    return userOf(reply, password)
  }
  const mailsTo = async (email: string) =>
    (await operate(`GET /operator/v1/mails?to=${encodeURIComponent(email)}`)).json<{
      items: { subject: string; text: string; messageId: string }[]
    }>().items
  /** The token in the link of the newest mail to somebody whose link leads to a page. */
  const linkTo = async (email: string, page: 'verify' | 'reset', after = 0): Promise<string> => {
    const links = async () =>
      (await mailsTo(email)).flatMap(
        ({ text }) => new RegExp(`/${page}#token=(\\S+)`).exec(text)?.[1] ?? [],
      )
    const found = await until(links, (tokens) => tokens.length > after)
    return found[0] ?? 'no mail came'
  }

  /** A user with these roles, in the token as well. */
  const appointed = async (...roles: string[]): Promise<User> => {
    const user = await register()
    const given = { email: user.email, roles, evenUnverified: true }
    const reply = await operate('PUT /operator/v1/users/roles', given)
    must(reply, 200)
    return signIn(user.email, user.password)
  }

  const merchant = await appointed('merchant')
  const customer = await register()

  /** A product of one's own, with stock unless `onHand` is undefined. */
  const product = async (
    given: { sku?: string; price?: object; onHand?: number; [field: string]: unknown } = {},
  ): Promise<string> => {
    const { onHand, ...facts } = given
    const sku = given.sku ?? fresh('SKU')
    const body = {
      name: 'A product',
      category: `Category ${run}`,
      price: { amount: 1_250, currency: 'GBP' },
      ...facts,
      sku,
    }
    must(await ask('POST /api/v1/products', { as: merchant, body }), 201)
    if (onHand !== undefined)
      must(await ask(`PUT /api/v1/stock/${sku}`, { as: merchant, body: { onHand } }), 200)
    return sku
  }

  const place = (
    as: User,
    lines: readonly { readonly sku: string; readonly quantity: number }[],
    given: { token?: string; key?: string; shipTo?: object } = {},
  ): Promise<Reply> =>
    ask('POST /api/v1/orders', {
      as,
      headers: { 'idempotency-key': given.key ?? fresh('key') },
      body: {
        lines,
        payment: { token: given.token ?? 'tok_ok' },
        ...(given.shipTo === undefined ? {} : { shipTo: given.shipTo }),
      },
    })
  /** The order when it has come to its end, or to a status that is waited for. */
  const settled = async (
    as: User,
    id: string,
    status = /^(confirmed|cancelled)$/,
  ): Promise<Order> =>
    until(
      async () => (await ask(`GET /api/v1/orders/${id}`, { as })).json<Order>(),
      (order) => status.test(order.status),
    )
  return {
    address,
    operator,
    operatorKey,
    run,
    fresh,
    ask,
    operate,
    signIn,
    register,
    appointed,
    merchant,
    customer,
    product,
    place,
    settled,
    mailsTo,
    linkTo,
  }
}
export type World = Awaited<ReturnType<typeof openWorld>>
