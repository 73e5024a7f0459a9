import { setTimeout as pause } from 'node:timers/promises'
import type { PostgresServer } from 'serval/testing'
import type { Random } from '../fuzz/random.ts'
import type { Fleet, FleetProcess } from './fleet.ts'

/** Something that was done to the fleet. */
export interface Deed {
  readonly name: string
  readonly from: number
  /** When the part that was taken away was there again, or the change was made. */
  to: number
}

export interface Doing {
  readonly fleet: Fleet
  readonly random: Random
  readonly postgres: PostgresServer['control']
  readonly cycles: number
  readonly pairs: number
  /** Does one thing, and lets the fleet come to rest. */
  readonly once: (name: string, work: () => Promise<void>) => Promise<void>
}

const stoppedMs = 10_000
const awayMs = 2_000

const servicesOf = (processes: readonly FleetProcess[]) => [
  ...new Set(processes.flatMap(({ services }) => services)),
]

/** Which processes something is done to: each alone, and some pairs. */
const victims = async ({ fleet, random, cycles, pairs }: Doing): Promise<string[][]> => {
  const names = (await fleet.processes()).map(({ name }) => name)
  const all = names.flatMap((one, at) => names.slice(at + 1).map((other) => [one, other]))
  const some: string[][] = []
  while (some.length < pairs && all.length > 0)
    some.push(...all.splice(random.below(all.length), 1))
  const singles = Array.from({ length: cycles }, () => names.map((name) => [name])).flat()
  return [...singles, ...some]
}

const pidsOf = async (fleet: Fleet, names: readonly string[]) =>
  (await fleet.processes()).filter(({ name }) => names.includes(name)).map(({ pid }) => pid)

const wholeAfter = async (fleet: Fleet, work: () => Promise<void>) => {
  const { length } = await fleet.processes()
  await work()
  // The supervisor learns of an end a moment later.
  await pause(200)
  await fleet.whole(length)
}

export const deeds = {
  none: async ({ once }) => once('nothing', () => pause(10_000)),
  'split-merge': async ({ fleet, once, cycles }) => {
    const processes = await fleet.processes()
    const alone = processes.filter(({ services }) => services.length === 1).map(({ role }) => role)
    for (let cycle = 0; cycle < cycles; cycle++)
      for (const service of servicesOf(processes)) {
        const both = alone.includes(service) ? ['merge', 'split'] : ['split', 'merge']
        for (const change of both)
          await once(`${change} ${service}`, () => fleet.change(change, { service }))
      }
  },
  roll: async ({ fleet, once, cycles }) => {
    for (let cycle = 0; cycle < cycles; cycle++)
      await once('roll everything', () => fleet.change('roll', {}))
  },
  scale: async ({ fleet, once, cycles }) => {
    const processes = await fleet.processes()
    const roles = Map.groupBy(processes, ({ role }) => role)
    for (let cycle = 0; cycle < cycles; cycle++)
      for (const [role, { length }] of roles)
        for (const replicas of [length + 1, length])
          await once(`scale ${role}=${replicas}`, () => fleet.change('scale', { role, replicas }))
  },
  kill: async (doing) => {
    const { fleet, once } = doing
    for (const names of await victims(doing))
      await once(`kill ${names.join(' and ')}`, () =>
        wholeAfter(fleet, async () => {
          for (const pid of await pidsOf(fleet, names)) process.kill(pid, 'SIGKILL')
        }),
      )
  },
  stop: async (doing) => {
    const { fleet, once } = doing
    for (const names of await victims(doing))
      await once(`stop ${names.join(' and ')}`, async () => {
        const pids = await pidsOf(fleet, names)
        for (const pid of pids) process.kill(pid, 'SIGSTOP')
        await pause(stoppedMs)
        for (const pid of pids) process.kill(pid, 'SIGCONT')
      })
  },
  postgres: async ({ once, cycles, postgres }) => {
    if (postgres === undefined) throw new Error('this PostgreSQL server is not ours to kill')
    for (let cycle = 0; cycle < cycles; cycle++)
      await once('kill PostgreSQL', async () => {
        await postgres.kill()
        await pause(awayMs)
        await postgres.start()
      })
  },
} as const satisfies Record<string, (doing: Doing) => Promise<void>>

export type DeedName = keyof typeof deeds

/** Changes that nobody may notice; what the others do is not the fleet's wish. */
export const unnoticed: readonly DeedName[] = ['none', 'split-merge', 'roll', 'scale']
