import { httpClient, ServalError, systemEnv, type Env, type OutputOf } from 'serval'
import { accounts } from '../accounts/contract.ts'
import { catalog } from '../catalog/contract.ts'
import { inventory, NoSuchStock } from '../inventory/contract.ts'
import { notifications } from '../notifications/contract.ts'
import { orders } from '../orders/contract.ts'
import { attempts, type Attempt } from './attempts.ts'
import { demoOptions, helpText, UsageError } from './options.ts'
import {
  isFinal,
  money,
  tableOn,
  type ShownOrder,
  type TableRow,
  type TableStream,
} from './table.ts'

export interface DemoIo {
  readonly out: TableStream
  readonly err: Pick<TableStream, 'write'>
}

type Placed = OutputOf<typeof orders.operations.place>
type Lines = { sku: string; quantity: number }[]
/** A product that was never counted has none. */
const noStock = (error: unknown): undefined => {
  if (!(error instanceof ServalError) || error.code !== NoSuchStock.code) throw error
}

interface Basket {
  readonly some: Lines
  readonly tooMany: Lines
}

/** The typed clients, as a new customer. */
const newCustomer = async (address: string, env: Env) => {
  const email = `demo-${Buffer.from(env.bytes(4)).toString('hex')}@shop.test`
  const account = { email, name: 'Dana Demo', password: 'serval-demo' }
  const { accessToken } = await httpClient(accounts, { address }).register(account)
  const options = { address, token: () => accessToken }
  return {
    email,
    catalog: httpClient(catalog, options),
    inventory: httpClient(inventory, options),
    notifications: httpClient(notifications, options),
    orders: httpClient(orders, options),
  }
}

type Customer = Awaited<ReturnType<typeof newCustomer>>

/** Where the demo's own products are first, then everywhere: what was replayed from a file is sold out. */
async function* shelves({ catalog: shop }: Customer) {
  yield (await shop.products({ category: 'Kitchen', limit: 100 })).items
  for (let cursor: string | undefined; ;) {
    const from = cursor === undefined ? {} : { cursor }
    const { items, next } = await shop.products({ limit: 100, ...from })
    yield items
    if (next === undefined) return
    cursor = next
  }
}

/** Things to buy: two products of which there is enough for every attempt, and more of one than there is. */
const basket = async (customer: Customer): Promise<Basket> => {
  const found: { sku: string; available: number }[] = []
  for await (const items of shelves(customer)) {
    const stock = items.map(({ sku }) => customer.inventory.stock({ sku }).catch(noStock))
    const enough = (await Promise.all(stock)).flatMap((one) =>
      one !== undefined && one.available >= 20 && one.available < 100_000 ? [one] : [],
    )
    found.push(...enough)
    if (found.length >= 2) break
  }
  // The fewest first: one more than there are is a sum that still looks like one.
  const [first, second] = found.toSorted((a, b) => a.available - b.available)
  if (first === undefined || second === undefined)
    throw new Error('The shop’s shelves are bare: there are no two products with 20 units.')
  return {
    some: [
      { sku: first.sku, quantity: 1 },
      { sku: second.sku, quantity: 2 },
    ],
    tooMany: [{ sku: first.sku, quantity: first.available + 1 }],
  }
}

const bodyOf = ({ lines, card }: Attempt, { some, tooMany }: Basket) => ({
  lines: lines === 'some' ? some : tooMany,
  payment: { token: card },
})

interface Watched {
  readonly attempt: Attempt
  readonly placed: Placed
  readonly placedAt: number
  order: ShownOrder
  changedAt: number
}

const place = async (attempt: Attempt, wanted: Basket, customer: Customer, env: Env) => {
  const placed = await customer.orders.place(bodyOf(attempt, wanted), { key: env.id() })
  const now = env.now()
  const order = attempt.cancels === true ? await customer.orders.cancel({ id: placed.id }) : placed
  return { attempt, placed, placedAt: now, order, changedAt: env.now() }
}

/** Looks at the orders until all are final; tells of each look. */
const follow = async (
  watched: readonly Watched[],
  customer: Customer,
  env: Env,
  look: () => void,
) => {
  const until = env.now() + 30_000
  for (look(); !watched.every(({ order }) => isFinal(order)) && env.now() < until; look()) {
    await env.sleep(100)
    for (const one of watched.filter(({ order }) => !isFinal(order))) {
      const order = await customer.orders.order({ id: one.order.id })
      if (order.status !== one.order.status) one.changedAt = env.now()
      one.order = order
    }
  }
}

/** Mails follow a moment after the orders. */
const mails = async (customer: Customer, count: number, env: Env) => {
  const until = env.now() + 10_000
  for (;;) {
    const { items } = await customer.notifications.list({ limit: 20 })
    if (items.length >= count || env.now() > until) return items
    await env.sleep(100)
  }
}

/** The day itself; answers whether all went as it should. */
const day = async (address: string, { out }: DemoIo): Promise<boolean> => {
  const env = systemEnv()
  const tell = (words = '') => void out.write(words === '' ? '\n' : `  ${words}\n`)
  const customer = await newCustomer(address, env)
  tell()
  tell(`Hello, ${customer.email}: a new account.`)
  const shelf = await customer.catalog.products({ limit: 100 })
  const mugs = await customer.catalog.products({ q: 'mug' })
  const [mug] = mugs.items
  const more = shelf.next === undefined ? '' : ' and more'
  tell(
    `${shelf.items.length} products${more}; ${mugs.items.length} for “mug”` +
      (mug === undefined ? '.' : `, such as ${mug.name} for ${money(mug.price)}.`),
  )
  const wanted = await basket(customer)
  const quote = await customer.catalog.quote({ lines: wanted.some })
  tell(`A quote for two products comes to ${money(quote.total)}. Six orders of them:`)
  tell()

  const watched: Watched[] = []
  for (const attempt of attempts) watched.push(await place(attempt, wanted, customer, env))
  const table = tableOn(out)
  const rowOf = ({ attempt, order, placedAt, changedAt }: Watched): TableRow => ({
    title: attempt.title,
    card: attempt.card,
    order,
    afterMs: (isFinal(order) ? changedAt : env.now()) - placedAt,
  })
  await follow(watched, customer, env, () => table.show(watched.map(rowOf)))
  const surprises = watched.filter(
    ({ attempt, order }) =>
      attempt.ends.status !== order.status || attempt.ends.reason !== order.reason,
  )
  tell()
  for (const { attempt, order } of surprises) {
    const { status, reason } = attempt.ends
    tell(`${attempt.title} should have been ${status} ${reason ?? ''}; it is ${order.status}.`)
  }

  const repeated = await repeat(customer, wanted, env)
  const [first, second] = repeated
  const same = JSON.stringify(first) === JSON.stringify(second)
  tell('One order sent twice, under one Idempotency-Key:')
  tell(
    same
      ? `  both replies are that of order ${first.id}.`
      : `  the replies differ! They are those of ${first.id} and ${second.id}.`,
  )
  // One for each order, and the one that asks to confirm the address.
  const expected = watched.length + 2
  const sent = await mails(customer, expected, env)
  const kinds = Map.groupBy(sent, ({ kind }) => kind)
  const count = (kind: 'order-confirmed' | 'order-cancelled') => kinds.get(kind)?.length ?? 0
  const told = `${count('order-confirmed')} confirmed, ${count('order-cancelled')} cancelled, 1 other`
  tell(`${sent.length} mails to ${customer.email}: ${told}.`)
  for (const { subject, sentAt } of sent) tell(`  ${sentAt.slice(11, 19)}  ${subject}`)
  tell()
  return surprises.length === 0 && same && sent.length === expected
}

/** Places one order twice under one key. */
const repeat = async (customer: Customer, wanted: Basket, env: Env) => {
  const key = env.id()
  const body = { lines: wanted.some, payment: { token: 'tok_ok' } }
  const first = await customer.orders.place(body, { key })
  const again = await customer.orders.place(body, { key })
  return [first, again] as const
}

/** The program: takes the command line, answers the exit code. */
export const demo = async (argv: readonly string[], io: DemoIo): Promise<number> => {
  const complain = (words: string) => void io.err.write(`\n  ${words}\n\n`)
  let address = ''
  try {
    const options = demoOptions(argv)
    if (options === 'help') {
      io.out.write(`${helpText}\n`)
      return 0
    }
    address = options.address
    return (await day(address, io)) ? 0 : 1
  } catch (error) {
    if (error instanceof UsageError)
      complain(`${error.message}\n  Run with --help for the options.`)
    else if (error instanceof ServalError && error.kind === 'unavailable' && error.ran !== 'ran')
      complain(
        `No shop answers at ${address}: start it with npm start, in another terminal,\n  or give its address as --address.`,
      )
    else complain(error instanceof Error ? error.message : String(error))
    return 1
  }
}
