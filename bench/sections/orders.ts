import { setTimeout as sleep } from 'node:timers/promises'
import type { Carried, Contender } from '../contenders/index.ts'
import { residentMib } from '../machine/processes.ts'
import { interleaved, load, watch, type Bench } from '../measuring.ts'
import { benchSkus, signIn } from '../prepare.ts'

const askEveryMs = 100
const carriedWithinMs = 300_000

const counts = ['confirmed', 'notified', 'counted'] as const

/** Waits until so many more orders than before are confirmed, notified and counted: each once, none lost, none doubled. */
const allCarried = async (contender: Contender, before: Carried, orders: number): Promise<void> => {
  const until = performance.now() + carriedWithinMs
  for (;;) {
    const now = await contender.carried()
    const missing = counts.map((name) => {
      const [then, current] = [before[name], now[name]]
      return then === undefined || current === undefined ? 0 : then + orders - current
    })
    if (missing.every((count) => count === 0)) return
    if (performance.now() > until || missing.some((count) => count < 0))
      throw new Error(`${contender.id}: ${orders} orders became ${JSON.stringify({ before, now })}`)
    await sleep(askEveryMs)
  }
}

/** Orders for some seconds, then the wait for all of them; what a round of it was like. */
export const orderRound = async (bench: Bench, contender: Contender, n: number) => {
  // Access tokens live for ten minutes; a run may take longer.
  const tokens = await signIn(contender)
  await contender.store?.server.checkpoint()
  const carriedBefore = await contender.carried()
  const used = watch(contender)
  const round = await load(bench, contender, {
    kind: 'orders',
    skus: benchSkus,
    tokens,
    run: `bench-${contender.id}-${n}-${Date.now()}`,
    seed: n,
  })
  const accepting = used()
  await allCarried(contender, carriedBefore, round.answered)
  return { ...round, accepting, usage: used() }
}

/**
 * Orders as fast as they are answered, for some seconds; then the wait until all of them are carried to their end. The rate of
 * the second counts from the first order on: work that was put off is not hidden.
 */
export const measureOrders = async (
  bench: Bench,
  contenders: readonly Contender[],
): Promise<void> => {
  await interleaved(bench, 'orders', contenders, async (contender, n) => {
    const round = await orderRound(bench, contender, n)
    const { accepting, usage } = round
    const per1000 = (cpu: number) => (cpu / round.answered) * 1_000
    return {
      values: {
        'orders.accepted': round.answered / round.seconds,
        'orders.carried': round.answered / usage.seconds,
        'orders.cpu': per1000(usage.server + usage.postgres),
        'orders.cpu.accepting': per1000(accepting.server + accepting.postgres),
        ...(contender.store === undefined
          ? {}
          : { 'orders.cpu.postgres': per1000(usage.postgres) }),
        'orders.p50': round.ms.p50,
        'orders.p99': round.ms.p99,
        'orders.memory': residentMib(contender.pid),
      },
      raw: round,
    }
  })
}
