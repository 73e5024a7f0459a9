import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { operationsOf, sampleOf, targetOf, type ListedOperation } from './operations.ts'
import { bearer, send, type Reply, type RequestParts } from './raw-http.ts'
import { killAll, startShop } from './shop-process.ts'
import { until } from './until.ts'

/** What the samples name. */
export const known = {
  sku: 'SAMPLE',
  email: 'someone@example.org',
  token: 'tok_ok',
  onHand: 1_000_000_000,
  roles: [],
  cursor: 'no-cursor',
}

/** The same for one operation: what is taken off the catalog is nothing that others need. */
export const knownOf = ({ id }: ListedOperation): Readonly<Record<string, unknown>> =>
  id === 'catalog.withdraw' ? { ...known, sku: 'NOT HERE' } : known

/** The target of a call of an operation with its sample. */
export const pathOf = (operation: ListedOperation): string =>
  targetOf(operation, knownOf(operation))

export const json = { 'content-type': 'application/json' }

/** Runs all, a few at a time, and shows every one that is wrong, not only the first. */
export const all = async <T>(
  items: Iterable<T>,
  check: (item: T) => Promise<unknown>,
): Promise<void> => {
  const waiting = [...items]
  const wrong: string[] = []
  const worker = async () => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift())
      await check(item).catch((error: unknown) =>
        wrong.push(`${label(item)}: ${error instanceof Error ? error.message : String(error)}`),
      )
  }
  await Promise.all(Array.from({ length: 8 }, worker))
  expect(wrong.join('\n')).toBe('')
}
const label = (item: unknown): string => {
  const id = (item as { id?: string }).id
  return (
    id ??
    JSON.stringify(item, (_, value: unknown) =>
      value instanceof Uint8Array
        ? Buffer.from(value).toString('latin1')
        : ((value as { id?: string } | null)?.id ?? value),
    ).slice(0, 300)
  )
}

export const valueAt = (value: unknown, path: readonly (string | number)[]): unknown =>
  path.reduce((inside, part) => (inside as Readonly<Record<string | number, unknown>>)[part], value)

export const pairs = <A, B>(as: readonly A[], bs: readonly B[]): [A, B][] =>
  as.flatMap((a) => bs.map((b) => [a, b] as [A, B]))

/** A shop of its own for a test file, three people who are signed in, and calls of its operations. */
export const startShopUnderTest = async () => {
  const data = mkdtempSync(join(tmpdir(), 'serval-bad-input-'))
  const shop = await startShop({ data })
  const { address, operator, operatorKey } = shop
  let keys = 0
  const newKey = () => `bad-input-${(keys += 1)}`

  /** It lifts the limits of how much may be sent, which are not what is tested here. */
  const unlimited = { 'x-serval-operator': operatorKey }
  const post = async (path: string, body: unknown): Promise<string> =>
    (await send(address, { method: 'POST', path, headers: unlimited, body })).json<{
      accessToken: string
    }>().accessToken
  const signIn = (email: string) => post('/api/v1/auth/login', { email, password: 'serval-demo' })
  let users = 0
  const register = () =>
    post('/api/v1/auth/register', {
      email: `bad-input-${(users += 1)}@example.org`,
      password: 'serval-demo',
      name: 'Sam Sample',
    })
  const [admin, customer, merchant] = await Promise.all(
    ['admin@shop.test', 'customer@shop.test', 'merchant@shop.test'].map(signIn),
  )

  const onPublic = await operationsOf(address)
  const onOperator = await operationsOf(operator)
  const operations = [...onPublic, ...onOperator]
  const withBody = operations.filter((operation) => operation.body !== undefined)
  const named = (id: string) => operations.find((operation) => operation.id === id)!

  const skus = (await send(address, { path: '/api/v1/products?limit=2' }))
    .json<{ items: { sku: string }[] }>()
    .items.map(({ sku }) => sku)

  const base = (operation: ListedOperation) =>
    operation.access === 'operator' ? operator : address
  /** Who calls what ends the caller's session or account, or locks it: somebody else after each success. */
  const spent = new Map<string, Promise<string>>()
  const callers: Readonly<Record<string, () => Promise<string>>> = {
    'accounts.logout': () => signIn('customer@shop.test'),
    'accounts.erase': register,
    'accounts.changePassword': register,
  }
  const callerOf = ({ id }: ListedOperation): Promise<string | undefined> => {
    const somebody = callers[id]
    if (somebody === undefined) return Promise.resolve(admin)
    const caller = spent.get(id) ?? somebody()
    spent.set(id, caller)
    return caller
  }
  /** Credentials that open every operation: the administrator is a merchant too. */
  const credentials = async (
    operation: ListedOperation,
    given: object = {},
  ): Promise<Record<string, string>> =>
    operation.access === 'bearer' && !('authorization' in given)
      ? { ...unlimited, ...bearer(await callerOf(operation)) }
      : unlimited

  /** A call of an operation; each part may be replaced. */
  const call = async (
    operation: ListedOperation,
    parts: Partial<RequestParts> = {},
  ): Promise<Reply> => {
    const key = operation.parameters.some(({ name }) => name === 'Idempotency-Key')
      ? { 'idempotency-key': newKey() }
      : {}
    const opened = await credentials(operation, parts.headers)
    const reply = await send(base(operation), {
      method: operation.method,
      path: pathOf(operation),
      ...parts,
      headers: { ...opened, ...key, ...parts.headers },
    })
    if (reply.status === 204) spent.delete(operation.id)
    return reply
  }
  const withSample = (operation: ListedOperation) =>
    sampleOf(operation.body ?? {}, knownOf(operation))

  // What the samples name, with stock for all of them.
  await call(named('catalog.create'), {
    body: {
      sku: known.sku,
      name: 'Sample',
      price: { amount: 100, currency: 'GBP' },
      category: 'Samples',
    },
  })
  await call(named('inventory.count'), { body: { onHand: 1_000_000_000 } })

  const ended = (id: string) =>
    until(
      async () =>
        (await send(address, { path: `/api/v1/orders/${id}`, headers: bearer(customer) })).json<{
          status: string
        }>(),
      ({ status }) => status === 'confirmed' || status === 'cancelled',
    )

  /** After whatever a test file did: the shop takes an order, and its books are right. */
  const expectBooksInOrder = async () => {
    const audit = async <T>(path: string) =>
      (
        await send(operator, {
          path: `/operator/v1/${path}`,
          headers: { 'x-serval-operator': operatorKey },
        })
      ).json<T>()
    interface Sum {
      readonly amount: number
      readonly currency: string
    }
    expect(
      (await call(named('inventory.count'), { body: withSample(named('inventory.count')) })).status,
    ).toBe(200)
    const { id } = (
      await call(named('orders.place'), {
        headers: bearer(customer),
        body: withSample(named('orders.place')),
      })
    ).json<{ id: string }>()
    expect(await ended(id)).toMatchObject({ id, status: 'confirmed' })

    const { statuses } = await until(
      () => audit<{ statuses: { status: string; orders: number; amounts: Sum[] }[] }>('orders'),
      (found) =>
        found.statuses.every(({ status }) => status === 'confirmed' || status === 'cancelled'),
    )
    for (const { status } of statuses) expect(['cancelled', 'confirmed']).toContain(status)
    // Beyond 2^53−1 a sum comes in parts.
    const byCurrency = (sums: readonly Sum[]) => {
      const totals = new Map<string, bigint>()
      for (const { amount, currency } of sums)
        totals.set(currency, (totals.get(currency) ?? 0n) + BigInt(amount))
      return [...totals].map(([currency, total]) => `${total} ${currency}`).sort()
    }
    const payments = await audit<Record<'captured' | 'refunded', { amounts: Sum[] }>>('payments')
    expect(byCurrency(payments.captured.amounts)).toEqual(
      byCurrency(statuses.find(({ status }) => status === 'confirmed')?.amounts ?? []),
    )
    expect(await audit('acquirer')).toMatchObject({ doubled: 0 })
    expect(await audit('inventory')).toMatchObject({
      negative: 0,
      reserved: 0,
      reservations: { held: 0 },
    })
    expect(await audit('parked')).toEqual({ items: [] })
    const orders = statuses.reduce((total, row) => total + row.orders, 0)
    interface Mails {
      readonly sent: readonly { readonly kind: string; readonly notifications: number }[]
      readonly mailbox: { readonly mails: number; readonly repeats: number }
    }
    const sum = ({ sent }: Mails, kinds: RegExp) =>
      sent
        .filter(({ kind }) => kinds.test(kind))
        .reduce((total, { notifications }) => total + notifications, 0)
    const settled = await until(
      () => audit<Mails>('notifications'),
      (mails) => sum(mails, /^order-/) === orders && sum(mails, /./) <= mails.mailbox.mails,
    )
    expect(sum(settled, /^order-/)).toBe(orders)
    // What somebody was sent who has left since is in the mailbox only.
    expect(settled.mailbox.mails).toBeGreaterThanOrEqual(sum(settled, /./))
    expect(settled.mailbox.repeats).toBe(0)
    // Whatever nobody foresaw is in the log.
    expect(shop.stderr).toBe('')
  }

  const end = async () => {
    await killAll()
    rmSync(data, { recursive: true, force: true })
  }
  return {
    address,
    operator,
    operatorKey,
    unlimited,
    admin,
    customer,
    merchant,
    onPublic,
    onOperator,
    operations,
    withBody,
    named,
    skus,
    call,
    withSample,
    ended,
    expectBooksInOrder,
    end,
  }
}
