import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { operationsOf, sampleOf, targetOf, type ListedOperation } from './operations.ts'
import { send, type Reply, type RequestParts } from './raw-http.ts'
import { killAll, startShop } from './shop-process.ts'

/** What the samples name. */
export const known = {
  sku: 'SAMPLE',
  email: 'someone@example.org',
  token: 'tok_ok',
  onHand: 1_000_000_000,
  roles: [],
  cursor: 'no-cursor',
}

export const json = { 'content-type': 'application/json' }
export const bearer = (token: string | undefined) => ({ authorization: `Bearer ${token}` })

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

/** Waits for an answer, and gives the last one when it does not come. */
export const until = async <T>(
  ask: () => Promise<T>,
  wanted: (answer: T) => boolean,
): Promise<T> => {
  for (const deadline = performance.now() + 15_000; ;) {
    const answer = await ask()
    if (wanted(answer) || performance.now() > deadline) return answer
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}
/** A shop of its own for a test file, three people who are signed in, and calls of its operations. */
export const startShopUnderTest = async () => {
  const data = mkdtempSync(join(tmpdir(), 'serval-bad-input-'))
  const shop = await startShop({ data })
  const { address, operator, operatorKey } = shop
  let keys = 0
  const newKey = () => `bad-input-${(keys += 1)}`

  const signIn = async (email: string): Promise<string> =>
    (
      await send(address, {
        method: 'POST',
        path: '/api/v1/auth/login',
        body: { email, password: 'serval-demo' },
      })
    ).json<{ accessToken: string }>().accessToken
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
  /** Credentials that open every operation: the administrator is a merchant too. */
  const credentials = (operation: ListedOperation): Record<string, string> =>
    operation.access === 'operator'
      ? { 'x-serval-operator': operatorKey }
      : operation.access === 'bearer'
        ? bearer(admin)
        : {}

  /** A call of an operation; each part may be replaced. */
  const call = (operation: ListedOperation, parts: Partial<RequestParts> = {}): Promise<Reply> => {
    const key = operation.parameters.some(({ name }) => name === 'Idempotency-Key')
      ? { 'idempotency-key': newKey() }
      : {}
    return send(base(operation), {
      method: operation.method,
      path: targetOf(operation, known),
      ...parts,
      headers: { ...credentials(operation), ...key, ...parts.headers },
    })
  }
  const withSample = (operation: ListedOperation) => sampleOf(operation.body ?? {}, known)

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
    await until(
      () => audit<{ mailbox: { mails: number } }>('notifications'),
      ({ mailbox }) => mailbox.mails === orders,
    )
    expect(await audit('notifications')).toMatchObject({ mailbox: { mails: orders } })
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
