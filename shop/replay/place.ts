import { asFailure, type Env } from 'serval'
import type { Shop } from './client.ts'
import { inParallel, openLoop, schedule } from './pace.ts'
import type { PlannedOrder } from './plan.ts'
import type { Progress } from './progress.ts'
import type { Session } from './session.ts'

export interface Placed {
  readonly order: PlannedOrder
  readonly session: Session
  readonly id: string
  /** From when it was due to the reply, tries included. */
  readonly latencyMs: number
  /** The reply as it came; kept for the few that are asked again. */
  readonly body: string | undefined
}

export interface Refused {
  readonly order: PlannedOrder
  readonly reason: string
}

export interface Placing {
  readonly placed: readonly Placed[]
  readonly refused: readonly Refused[]
  readonly tookMs: number
  /** On `clock`. */
  readonly begunAt: number
}

export interface PlaceOptions {
  readonly env: Env
  readonly clock: () => number
  readonly shop: Shop
  readonly run: string
  readonly speed: 'max' | number
  readonly concurrency: number
  readonly progress: Progress
  /** Orders whose reply is kept. */
  readonly keeps: ReadonlySet<PlannedOrder>
  /** Told of each order that was accepted. */
  readonly onPlaced: (placed: Placed) => void
}

/** The same order of the same run has the same key, so that it is placed once however often it is sent. */
export const keyOf = (run: string, { invoice }: PlannedOrder) => `replay-${run}-${invoice}`

/** Sends an order once; answers its id and the reply as it came. */
export const send = async (order: PlannedOrder, session: Session, run: string, shop: Shop) => {
  let body = ''
  const seen = (text: string) => void (body = text)
  const { id } = await session.call(() =>
    shop
      .watching(session.token, seen)
      .place({ lines: [...order.lines], payment: { token: 'tok_ok' } }, { key: keyOf(run, order) }),
  )
  return { id, body }
}

/** Places the orders: as fast as they are answered, or each when it is due. A refused order does not stop the others. */
export const placeOrders = async (
  orders: readonly PlannedOrder[],
  sessionOf: (order: PlannedOrder) => Session,
  options: PlaceOptions,
): Promise<Placing> => {
  const { env, clock, speed, progress } = options
  const placed: Placed[] = []
  const refused: Refused[] = []
  const phase = progress.phase('orders', orders.length)

  const place = async (order: PlannedOrder, dueAt: number) => {
    const session = sessionOf(order)
    try {
      const { id, body } = await send(order, session, options.run, options.shop)
      const kept = options.keeps.has(order) ? body : undefined
      const one = { order, session, id, latencyMs: clock() - dueAt, body: kept }
      placed.push(one)
      options.onPlaced(one)
    } catch (error) {
      const { code, cause } = asFailure(error)
      // What is not the shop's failure is ours: its words say more than the code.
      const words = code === 'internal' && cause instanceof Error ? `: ${cause.message}` : ''
      refused.push({ order, reason: `${code}${words}` })
    }
    phase.done()
  }

  const begunAt = clock()
  if (speed === 'max')
    await inParallel(orders, options.concurrency, (order) => place(order, clock()))
  else {
    const times = orders.map((order) => order.at)
    await openLoop(orders, schedule(times, speed), { env, clock }, place)
  }
  const tookMs = clock() - begunAt
  phase.end(`placed${refused.length === 0 ? '' : `, ${refused.length} refused`}`)
  return { placed, refused, tookMs, begunAt }
}
