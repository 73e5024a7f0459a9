import type { Env } from 'serval'
import { argon2Passwords } from 'serval/engines/argon2'
import { joseSigner } from 'serval/engines/jose'
import { mailbox } from 'serval/engines/mailbox'
import type { SqlServer } from 'serval/engines/sql'
import {
  crashing,
  crashingPort,
  eventually,
  startTestServices,
  type CrashPoints,
  type Placement,
  type TestServices,
} from 'serval/testing'
import { accounts } from '../accounts/contract.ts'
import { acquirer } from '../acquirer/contract.ts'
import { analytics } from '../analytics/contract.ts'
import { catalog } from '../catalog/contract.ts'
import { inventory } from '../inventory/contract.ts'
import { notifications } from '../notifications/contract.ts'
import { orders } from '../orders/contract.ts'
import { payments } from '../payments/contract.ts'
import { shop } from '../shop.ts'

/** What outlives every process of a test: the database, and the mailbox. */
export interface World {
  readonly server: SqlServer
  readonly mail: ReturnType<typeof mailbox>
}

export const operator = { kind: 'operator' } as const
const system = { kind: 'service', name: 'shop' } as const
const never: CrashPoints = { dead: false, pass: () => undefined }

/** Starts the whole shop in this process, on a world that other starts may share. */
export const startShop = (
  world: World,
  points: CrashPoints = never,
  env?: Env,
  placement?: Placement,
): Promise<TestServices> =>
  startTestServices({
    services: shop.services,
    server: crashing(world.server, points),
    ports: {
      mail: crashingPort('mail', world.mail, points),
      passwords: argon2Passwords({ memoryKib: 8, passes: 1 }),
      tokens: joseSigner(),
    },
    ...(env === undefined ? {} : { env }),
    ...(placement === undefined ? {} : { placement }),
  })

export const userOf = (id: string) => ({ kind: 'user', id, roles: [], session: 'test' }) as const

/** A customer who exists in accounts, and has had the mail that greets a new one. */
export const newCustomer = async (
  running: TestServices,
  name: string,
): Promise<ReturnType<typeof userOf>> => {
  const email = `${name}@example.org`
  const { user } = await running
    .client(accounts, { kind: 'anonymous' })
    .register({ email, password: 'correct horse', name })
  await eventually(async () => {
    const { items } = await running.client(notifications, operator).mails({ to: email })
    return items.length > 0
  }, `the first mail to ${email}`)
  return userOf(user.id)
}

export const stockOf = async (
  running: TestServices,
  counts: readonly { readonly sku: string; readonly onHand: number }[],
): Promise<void> => {
  for (const { sku } of counts) {
    const price = { amount: 250, currency: 'GBP' }
    const product = {
      sku,
      name: `Product ${sku}`,
      description: '',
      price,
      category: 'Tests',
      attributes: {},
    }
    await running.client(catalog, system).provide({ product })
  }
  await running.client(inventory, system).provide({ counts: [...counts] })
}

const isFinal = (status: string) => status === 'confirmed' || status === 'cancelled'

/** Waits until an order is confirmed or cancelled, and answers it. */
export const finalOrder = (running: TestServices, user: ReturnType<typeof userOf>, id: string) =>
  eventually(async () => {
    const order = await running.client(orders, user).order({ id })
    return isFinal(order.status) ? order : undefined
  }, `the end of order ${id}`)

/** Every sum of the shop, for the invariants. */
export const sums = async (running: TestServices) => {
  const [placed, stock, money, charged, mails, sold] = await Promise.all([
    running.client(orders, operator).audit({}),
    running.client(inventory, operator).audit({}),
    running.client(payments, operator).audit({}),
    running.client(acquirer, operator).audit({}),
    running.client(notifications, operator).audit({}),
    running.client(analytics, operator).audit({}),
  ])
  const ordersOf = (status: string) => placed.statuses.filter((row) => row.status === status)
  const count = (status: string) => ordersOf(status).reduce((total, row) => total + row.orders, 0)
  const money1 = (amounts: readonly { readonly amount: number }[]) =>
    amounts.reduce((total, { amount }) => total + amount, 0)
  return {
    orders: placed.statuses.reduce((total, row) => total + row.orders, 0),
    confirmed: count('confirmed'),
    cancelled: count('cancelled'),
    confirmedAmount: ordersOf('confirmed').reduce((total, row) => total + money1(row.amounts), 0),
    captured: money1(money.captured.amounts),
    refunded: money1(money.refunded.amounts),
    charged: money1(charged.charged),
    doubled: charged.doubled,
    reserved: stock.reserved,
    negative: stock.negative,
    onHand: stock.onHand,
    reservations: stock.reservations,
    mails: mails.mailbox?.mails ?? 0,
    repeats: mails.mailbox?.repeats ?? 0,
    counted: sold.orders,
    countedAmount: money1(sold.revenue),
  }
}
