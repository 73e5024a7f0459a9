import type { Contender } from '../contenders/index.ts'
import { startShop } from '../contenders/shop.ts'
import { programs } from '../machine/about.ts'
import { startDatabase } from '../machine/postgres.ts'
import { interleaved, type Bench, type Outcome } from '../measuring.ts'
import { prepare } from '../prepare.ts'
import type { ContenderInfo } from '../samples.ts'
import { orderRound } from './orders.ts'

/** A fleet with so many processes of one of its roles. */
export interface Scaled {
  readonly id: string
  readonly info: ContenderInfo
  readonly setup: 'cheetah' | 'tiger'
  readonly role: string
  readonly copies: number
}

const fleets = [
  ['cheetah', 'shop', 'an edge and as many copies of all services'],
  ['tiger', 'orders', 'nine processes and as many of orders'],
] as const

export const scaledOf = (versions: Readonly<Record<string, string>>): readonly Scaled[] =>
  fleets.flatMap(([setup, role, what]) =>
    [1, 2, 3].map((copies) => {
      const id = `${setup}-${copies}`
      const name = `shop, ${setup} with ${role}=${copies}: ${what}, Bun ${versions['bun'] ?? ''}, PostgreSQL`
      return { id, info: { id, side: 'ours', apart: true, name }, setup, role, copies }
    }),
  )

/** A new process compiles what it runs; so many rounds of orders come before those that count. */
const warmUps = 4

/**
 * One fleet after the other, each new and alone, so that all of its processes are equally old: copies added to a fleet that
 * has worked for a while would be slower than the first.
 */
export const measureReplicas = async (bench: Bench, points: readonly Scaled[]): Promise<void> => {
  for (const { id, info, setup, role, copies } of points) {
    bench.say(`starting ${id}`)
    const server = await startDatabase()
    const fleet = await startShop({ ...info, program: programs.bun, server, fleet: setup })
    bench.atEnd(fleet.stop)
    await fleet.scale(role, copies)
    await prepare(fleet)
    for (let n = 1; n < warmUps; n++) await orderRound(bench, fleet, n)
    await interleaved(bench, 'replicas', [fleet], (_, n) => measure(bench, fleet, n))
    await fleet.stop()
  }
}

const measure = async (bench: Bench, fleet: Contender, n: number): Promise<Outcome> => {
  const round = await orderRound(bench, fleet, n)
  const { usage } = round
  return {
    values: {
      'replicas.accepted': round.answered / round.seconds,
      'replicas.carried': round.answered / usage.seconds,
      'replicas.p50': round.ms.p50,
      'replicas.p99': round.ms.p99,
      'replicas.cpu': ((usage.server + usage.postgres) / round.answered) * 1_000,
    },
    raw: round,
  }
}
