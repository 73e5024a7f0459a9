import type { Env } from 'serval'
import { orderCounts, readBooks, type Books } from './books.ts'
import type { Shop } from './client.ts'
import type { Patiently } from './patience.ts'
import type { Placed } from './place.ts'
import type { Progress } from './progress.ts'

export interface SettleOptions {
  readonly env: Env
  readonly clock: () => number
  readonly shop: Shop
  readonly patiently: Patiently
  readonly progress: Progress
}

const askEveryMs = 200
/** Payments end after 10 s at the latest, and parts that were killed are up again before. */
const stalledAfterMs = 60_000

/** Asks until nothing is left; gives up when nothing has moved for a minute. Answers what is left, and when that was. */
const drained = async (
  name: string,
  left: () => Promise<number>,
  { env, clock, progress }: SettleOptions,
  patienceMs = stalledAfterMs,
) => {
  let before = await left()
  if (before <= 0) return { left: 0, at: clock() }
  const phase = progress.phase(name, before)
  for (let movedAt = clock(); before > 0 && clock() - movedAt < patienceMs;) {
    await env.sleep(askEveryMs)
    const now = await left()
    if (now !== before) movedAt = clock()
    if (now < before) phase.done(before - now)
    before = now
  }
  phase.end(before <= 0 ? 'done' : `and ${before} that do not come to an end`)
  return { left: Math.max(0, before), at: clock() }
}

/** Waits until no order of the shop is under way. */
export const ordersSettled = (options: SettleOptions) => {
  const audit = () => options.shop.operator.orders.audit({})
  const open = async () => orderCounts(await options.patiently(audit)).open
  return drained('settling', open, options)
}

/** Waits until so many mails about orders were sent since the shop had sent `before`. */
export const mailsSent = async (wanted: number, before: number, options: SettleOptions) => {
  const audit = () => options.shop.operator.notifications.audit({})
  const missing = async () => {
    const { sent } = await options.patiently(audit)
    const orders = sent.filter(({ kind }) => kind.startsWith('order-'))
    return wanted + before - orders.reduce((sum, { notifications }) => sum + notifications, 0)
  }
  await drained('mails', missing, options)
}

/**
 * The books at a moment when each mail in the embedded mailbox is also noted as sent: between the two, sums do not
 * agree. New accounts are sent mails at any time, so that the very books that are used must be those that agree.
 */
export const readSettledBooks = async (options: SettleOptions): Promise<Books> => {
  const read = () => readBooks(options.shop, options.patiently)
  let books = await read()
  const unnoted = async () => {
    books = await read()
    const { mailbox, mailsConfirmed, mailsCancelled, mailsOther } = books
    return mailbox === undefined ? 0 : mailbox - mailsConfirmed - mailsCancelled - mailsOther
  }
  // Mails of people who were erased since are noted no more.
  await drained('mails', unnoted, options, 2_000)
  return books
}

/** Looks at an order until it is final; answers how long that took after the reply. Undefined when it takes over `limitMs`. */
export const timeToFinal = async (
  { id, session }: Placed,
  { env, clock }: Pick<SettleOptions, 'env' | 'clock'>,
  limitMs = 600_000,
): Promise<number | undefined> => {
  const begun = clock()
  // Pauses grow with the wait, so that the error stays a small part of it.
  for (let pauseMs = 4; clock() - begun < limitMs; pauseMs = Math.min(pauseMs * 1.2, 250)) {
    const { status } = await session.call((shop) => shop.orders.order({ id }))
    if (status === 'confirmed' || status === 'cancelled') return clock() - begun
    await env.sleep(pauseMs)
  }
  return undefined
}
