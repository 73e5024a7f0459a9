import { setTimeout as pause } from 'node:timers/promises'
import type { Plan } from '../../replay/plan.ts'
import { customersOf } from './customers.ts'
import { MortalShop, type MortalShopOptions } from './mortal-shop.ts'
import { verdict, type Finding } from './verdict.ts'

export interface KillOptions extends MortalShopOptions {
  readonly plan: Plan
  readonly kills: number
  readonly clients: number
  /** Numbers in [0, 1): when exactly each kill comes. */
  readonly random: () => number
  readonly tell: (
    event:
      | {
          readonly kill: number
          readonly acknowledged: number
          readonly inFlight: number
          readonly restartMs: number
        }
      | { readonly doing: string },
  ) => void
}

export interface KillReport {
  readonly findings: readonly Finding[]
  readonly kills: readonly {
    readonly acknowledged: number
    readonly inFlight: number
    readonly unfinished: number
    readonly restartMs: number
  }[]
  readonly resent: number
  readonly errors: string
}

/**
 * Places a plan's orders over HTTP while the shop's process is killed again and again, each time with requests in flight and orders between their 201 and
 * their end; then compares what was acknowledged with what the shop knows.
 */
export const runKills = async (options: KillOptions): Promise<KillReport> => {
  const { plan, tell, random } = options
  const shop = new MortalShop(options)
  const kills: KillReport['kills'][number][] = []
  await shop.start()
  try {
    const customers = customersOf(shop)
    tell({
      doing: `adding ${plan.products.length} products and ${plan.customers.length} customers`,
    })
    await customers.prepare(plan)
    tell({ doing: `placing ${plan.orders.length} orders` })
    const waiting = [...plan.orders]
    let ended = false
    const client = async () => {
      for (let order = waiting.shift(); order !== undefined; order = waiting.shift())
        await customers.place(order)
    }
    const clients = Promise.all(Array.from({ length: options.clients }, client)).finally(
      () => (ended = true),
    )

    const span = plan.orders.length / (options.kills + 1)
    for (let kill = 1; kill <= options.kills; kill++) {
      const after = Math.floor((kill - 0.5 + random() / 2) * span)
      while (customers.ledger.length < after && !ended) await pause(1)
      await pause(random() * 30)
      const { inFlight, ledger } = customers
      const acknowledged = ledger.length
      await shop.kill()
      const restartMs = await shop.start()
      const { statuses } = await customers.operator<{
        statuses: { status: string; orders: number }[]
      }>('/operator/v1/orders')
      const unfinished = statuses.reduce(
        (total, { status, orders }) =>
          total + (status === 'confirmed' || status === 'cancelled' ? 0 : orders),
        0,
      )
      kills.push({ acknowledged, inFlight, unfinished, restartMs })
      tell({ kill, acknowledged, inFlight, restartMs })
    }
    await clients
    tell({ doing: 'comparing' })
    const findings = await verdict(customers, plan)
    return { findings, kills, resent: customers.resent, errors: shop.errors }
  } finally {
    await shop.stop()
  }
}
