import type { OutputOf } from 'serval'
import { inParallel } from './pace.ts'
import type { orders as ordersContract } from '../orders/contract.ts'
import { send, type Placed } from './place.ts'
import type { PlannedOrder, PlannedProduct } from './plan.ts'
import type { Patiently } from './patience.ts'
import type { Progress } from './progress.ts'
import type { Session } from './session.ts'
import type { Shop } from './client.ts'

type ShopOrder = OutputOf<typeof ordersContract.operations.order>

/** What the shop says of one accepted order. */
export interface Outcome {
  readonly order: PlannedOrder
  readonly status: string
  readonly reason: string | undefined
  readonly refunded: boolean
  readonly totalAgrees: boolean
  readonly linesAgree: boolean
  /** Mails about it, and when the last was sent after it was placed. */
  readonly mails: number
  readonly toMailMs: number | undefined
}

export interface VerifyOptions {
  readonly concurrency: number
  readonly progress: Progress
}

/** All pages of a list, one after another, until `enough` says so. */
async function* pages<T>(
  page: (cursor: string | undefined) => Promise<{ items: T[]; next?: string | undefined }>,
): AsyncGenerator<T[], void> {
  let cursor: string | undefined
  do {
    const { items, next } = await page(cursor)
    yield items
    cursor = next
  } while (cursor !== undefined)
}

const found = (cursor: string | undefined) => ({
  limit: 100,
  ...(cursor === undefined ? {} : { cursor }),
})

/** The ids of all orders of a customer. */
export const orderIds = async (session: Session): Promise<string[]> => {
  const ids: string[] = []
  const list = (cursor?: string) => session.call((shop) => shop.orders.list(found(cursor)))
  for await (const items of pages(list)) ids.push(...items.map(({ id }) => id))
  return ids
}

const summed = (lines: readonly { readonly sku: string; readonly quantity: number }[]) => {
  const quantities = new Map<string, number>()
  for (const { sku, quantity } of lines) quantities.set(sku, (quantities.get(sku) ?? 0) + quantity)
  return quantities
}

/** Whether the shop's lines are the file's, at the file's prices. */
const linesAgree = (
  shown: ShopOrder,
  planned: PlannedOrder,
  prices: ReadonlyMap<string, number>,
) => {
  const wanted = summed(planned.lines)
  return (
    shown.lines.length === wanted.size &&
    shown.lines.every(
      ({ sku, quantity, price, total }) =>
        wanted.get(sku) === quantity &&
        prices.get(sku) === price.amount &&
        total.amount === quantity * price.amount,
    )
  )
}

interface Mails {
  count: number
  lastAt: number
}

const mailsOf = async (session: Session, wanted: ReadonlySet<string>) => {
  const mails = new Map<string, Mails>()
  const list = (cursor?: string) => session.call((shop) => shop.notifications.list(found(cursor)))
  for await (const items of pages(list)) {
    for (const { orderId, sentAt } of items) {
      if (orderId === undefined || !wanted.has(orderId)) continue
      const { count = 0, lastAt = 0 } = mails.get(orderId) ?? {}
      mails.set(orderId, { count: count + 1, lastAt: Math.max(lastAt, Date.parse(sentAt)) })
    }
    // Newest first: a customer of earlier runs need not be read to the end.
    if (mails.size === wanted.size && items.every(({ orderId = '' }) => !wanted.has(orderId))) break
  }
  return mails
}

/** Finds every accepted order, and the mails about it, in the lists of its customer. */
export const readOutcomes = async (
  placed: readonly Placed[],
  products: readonly PlannedProduct[],
  { concurrency, progress }: VerifyOptions,
): Promise<Outcome[]> => {
  const prices = new Map(products.map(({ sku, priceMinor }) => [sku, priceMinor]))
  const phase = progress.phase('checking orders', placed.length)
  const outcomes: Outcome[] = []
  const bySession = [...Map.groupBy(placed, ({ session }) => session)]
  await inParallel(bySession, concurrency, async ([session, own]) => {
    const wanted = new Map(own.map((one) => [one.id, one.order]))
    const left = new Set(wanted.keys())
    const mails = await mailsOf(session, left)
    const list = (cursor?: string) => session.call((shop) => shop.orders.list(found(cursor)))
    for await (const items of pages(list)) {
      for (const shown of items) {
        const order = wanted.get(shown.id)
        if (order === undefined || !left.delete(shown.id)) continue
        const mail = mails.get(shown.id)
        outcomes.push({
          order,
          status: shown.status,
          reason: shown.reason,
          refunded: shown.refunded === true,
          totalAgrees: shown.total.amount === order.totalMinor && shown.total.currency === 'GBP',
          linesAgree: linesAgree(shown, order, prices),
          mails: mail?.count ?? 0,
          toMailMs: mail && mail.lastAt - Date.parse(shown.placedAt),
        })
        phase.done()
      }
      if (left.size === 0) break
    }
  })
  phase.end('read')
  return outcomes
}

/** Units of each product that can be ordered now. */
export const readStock = async (
  products: readonly PlannedProduct[],
  shop: Shop,
  patiently: Patiently,
  { concurrency, progress }: VerifyOptions,
): Promise<ReadonlyMap<string, number>> => {
  const phase = progress.phase('checking stock', products.length)
  const stock = new Map<string, number>()
  await inParallel(products, concurrency, async ({ sku }) => {
    stock.set(sku, (await patiently(() => shop.inventory.stock({ sku }))).available)
    phase.done()
  })
  phase.end('read')
  return stock
}

/** Sends orders again that were accepted before; counts the replies that are the first ones, byte for byte. */
export const sendAgain = async (
  kept: readonly Placed[],
  run: string,
  shop: Shop,
  { concurrency, progress }: VerifyOptions,
): Promise<number> => {
  const phase = progress.phase('asking again', kept.length)
  let same = 0
  await inParallel(kept, concurrency, async ({ order, session, body }) => {
    if ((await send(order, session, run, shop)).body === body) same += 1
    phase.done()
  })
  phase.end(`answered, ${same} with the first reply`)
  return same
}
