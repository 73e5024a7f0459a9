import { eventually } from 'serval/testing'
import { accounts } from '../../accounts/contract.ts'
import { analytics } from '../../analytics/contract.ts'
import { notifications } from '../../notifications/contract.ts'
import { orders } from '../../orders/contract.ts'
import { finalOrder, userOf as customerOf } from '../shop-in-test.suite.ts'
import { longKey } from './inventory.suite.ts'
import {
  anonymous,
  askRaw,
  merchant,
  operator,
  other,
  refused,
  userOf,
  type Stage,
} from './stage.suite.ts'

const shipTo = {
  name: 'Grace ü',
  street: '1 High Street',
  city: 'London',
  postcode: 'N1',
  country: 'GB',
}
const lines = [
  { sku: 'TEA', quantity: 1 },
  { sku: 'DEAR', quantity: 2 },
  { sku: 'TEA', quantity: 1 },
]

const followed = async (feed: AsyncIterable<unknown>): Promise<number> => {
  let items = 0
  for await (const _ of feed) items += 1
  return items
}

/** Orders, and what notifications and analytics make of them. */
export const ordersScript = async (stage: Stage): Promise<void> => {
  const { running } = stage
  const email = 'grace@example.org'
  await running
    .client(accounts, other)
    .provide({ email, password: 'x'.repeat(256), name: 'Grace', roles: [] })
  const { user } = await running
    .client(accounts, anonymous)
    .login({ email, password: 'x'.repeat(256) })
  const me = customerOf(user.id)
  const mine = stage.client(orders, me)
  let mails = 0
  /** Its mail is out: the mails of two orders come in any order. */
  const told = async () => {
    mails += 1
    await eventually(async () => {
      const { items } = await running.client(notifications, me).list({})
      return items.length === mails
    }, `${mails} mails`)
  }
  const ended = async (id: string) => {
    await finalOrder(running, me, id)
    await told()
  }

  const good = await mine.place({ lines, payment: { token: 'tok_ok' }, shipTo }, { key: longKey })
  await followed(mine.follow({ id: good.id }))
  await told()
  await mine.place({ lines, payment: { token: 'tok_ok' }, shipTo }, { key: longKey })
  await followed(mine.follow({ id: good.id, after: '2' }))
  await refused('invalid-input', followed(mine.follow({ id: good.id, after: '99' })))
  await refused('already-confirmed', mine.cancel({ id: good.id }))
  await mine.order({ id: good.id })

  const declined = await mine.place({ lines, payment: { token: 'tok_declined' } }, { key: 'd' })
  await ended(declined.id)
  await mine.order({ id: declined.id })
  await followed(mine.follow({ id: declined.id }))
  const many = [{ sku: 'TEA', quantity: 100_000 }]
  const short = await mine.place({ lines: many, payment: { token: 'tok_ok' } }, { key: 's' })
  await ended(short.id)
  const slow = await mine.place({ lines, payment: { token: 'tok_slow' } }, { key: 'h' })
  await eventually(async () => {
    const { status } = await running.client(orders, me).order({ id: slow.id })
    return status === 'reserved' && stage.slowCards.waiting() > 0
  }, 'the charge')
  await mine.cancel({ id: slow.id })
  stage.slowCards.go()
  await followed(mine.follow({ id: slow.id }))
  await told()
  await mine.cancel({ id: slow.id })

  const place = (...skus: readonly string[]) =>
    mine.place(
      { lines: skus.map((sku) => ({ sku, quantity: 2 })), payment: { token: 'tok_ok' } },
      { key: skus.join() },
    )
  await refused('unknown-sku', place('TEA', 'NONE'))
  await refused('mixed-currencies', place('TEA', 'EURO'))
  await refused('total-too-large', place('LARGE'))
  await refused('idempotency-key-missing', mine.place({ lines, payment: { token: 'tok_ok' } }))
  const strangers = stage.client(orders, userOf('somebody'))
  await refused('no-such-order', mine.order({ id: 'none' }))
  await refused('no-such-order', strangers.cancel({ id: good.id }))
  await refused('no-such-order', followed(strangers.follow({ id: good.id })))
  await strangers.list({})
  const page = await mine.list({ limit: 3 })
  await mine.list({ limit: 3, ...(page.next !== undefined && { cursor: page.next }) })
  await mine.list({ status: 'cancelled' })
  await stage.client(orders, merchant).listAll({ customer: me.id })
  await refused('forbidden', askRaw(stage, orders, 'listAll', me, {}))
  await refused('unauthenticated', askRaw(stage, orders, 'list', anonymous, {}))
  await refused('forbidden', askRaw(stage, orders, 'list', other, {}))
  await stage.client(orders, operator).audit({})

  await eventually(async () => {
    const { orders: counted } = await running.client(analytics, operator).audit({})
    return counted === 1
  }, 'the counts')
  await notificationsScript(stage, me, email)
  await analyticsScript(stage)
}

const notificationsScript = async (
  stage: Stage,
  me: ReturnType<typeof customerOf>,
  to: string,
): Promise<void> => {
  const mine = stage.client(notifications, me)
  const page = await mine.list({ limit: 3 })
  await mine.list({ limit: 3, ...(page.next !== undefined && { cursor: page.next }) })
  await stage.client(notifications, userOf('somebody')).list({})
  await refused('forbidden', stage.client(notifications, other).list({}))
  await stage.client(notifications, operator).mails({ to })
  await stage.client(notifications, operator).mails({ to: 'nobody@example.org' })
  await stage.client(notifications, operator).audit({})
}

const analyticsScript = async (stage: Stage): Promise<void> => {
  const shop = stage.client(analytics, merchant)
  const today = stage.running.env.now()
  const day = (n: number) => new Date(today + n * 86_400_000).toISOString()
  await shop.sales({ bucket: 'day', from: day(-2), to: day(1) })
  await shop.sales({ from: '2020-01-01T00:00:00Z', to: '2020-01-01T00:00:01Z' })
  await refused('invalid-input', shop.sales({ from: day(1), to: day(0) }))
  const years = { from: '2000-01-01T00:00:00Z', to: '2020-01-01T00:00:00Z' }
  await refused('too-many-buckets', shop.sales({ bucket: 'minute', ...years }))
  await shop.topProducts({ limit: 5 })
  await shop.topProducts(years)
  await stage.client(analytics, operator).audit({})
  await refused('forbidden', stage.client(analytics, userOf('somebody')).sales({}))
}
