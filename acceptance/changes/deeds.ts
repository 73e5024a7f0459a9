import { setTimeout as pause } from 'node:timers/promises'
import type { PostgresServer } from 'serval/testing'
import type { Random } from '../fuzz/random.ts'
import type { Fleet, FleetProcess } from './fleet.ts'
import { releases, type Release } from './releases.ts'

/** Something that was done to the fleet. */
export interface Deed {
  readonly kind: DeedName
  readonly name: string
  /** Services that were taken away. */
  readonly without: readonly string[]
  readonly from: number
  /** When the part that was taken away was there again, or the change was made. */
  to: number
  /** How long the fleet was then left alone. */
  readonly restMs: number
}

export interface Doing {
  readonly fleet: Fleet
  readonly random: Random
  readonly postgres: PostgresServer['control']
  readonly cycles: number
  readonly pairs: number
  /** Roles or services to which it is done; undefined for all. */
  readonly only: readonly string[] | undefined
  /** Puts a release's code where the fleet runs from. */
  readonly publish: (release: Release) => void
  /** Migrations that a service's database has seen. */
  readonly migrations: (service: string) => Promise<readonly string[]>
  /** Does one thing, and lets the fleet come to rest. */
  readonly once: (
    name: string,
    work: () => Promise<void>,
    without?: readonly string[],
  ) => Promise<void>
}

const stoppedMs = 10_000
const hungMs = 30_000
const awayMs = 2_000

const servicesOf = (processes: readonly FleetProcess[]) => [
  ...new Set(processes.flatMap(({ services }) => services)),
]

const isMeant = (only: Doing['only'], names: readonly string[]) =>
  only === undefined || names.some((name) => only.includes(name))

/** Which processes something is done to: each alone, and some pairs. */
const victims = async ({ fleet, random, cycles, pairs, only }: Doing): Promise<string[][]> => {
  const names = (await fleet.processes())
    .filter(({ role, services }) => isMeant(only, [role, ...services]))
    .map(({ name }) => name)
  const all = names.flatMap((one, at) => names.slice(at + 1).map((other) => [one, other]))
  const some: string[][] = []
  while (some.length < pairs && all.length > 0)
    some.push(...all.splice(random.below(all.length), 1))
  const singles = Array.from({ length: cycles }, () => names.map((name) => [name])).flat()
  return [...singles, ...some]
}

const pidsOf = async (fleet: Fleet, names: readonly string[]) =>
  (await fleet.processes()).filter(({ name }) => names.includes(name)).map(({ pid }) => pid)

/** Processes that do nothing for so long, and are not gone. */
const stop = async (pids: readonly number[], ms: number) => {
  for (const pid of pids) process.kill(pid, 'SIGSTOP')
  await pause(ms)
  for (const pid of pids) process.kill(pid, 'SIGCONT')
}

const wholeAfter = async (fleet: Fleet, work: () => Promise<void>) => {
  const { length } = await fleet.processes()
  await work()
  // The supervisor learns of an end a moment later.
  await pause(200)
  await fleet.whole(length)
}

export const deeds = {
  none: async ({ once }) => once('nothing', () => pause(10_000)),
  'split-merge': async ({ fleet, once, cycles, only }) => {
    const processes = await fleet.processes()
    const alone = processes.filter(({ services }) => services.length === 1).map(({ role }) => role)
    for (let cycle = 0; cycle < cycles; cycle++)
      for (const service of servicesOf(processes).filter((one) => isMeant(only, [one]))) {
        const both = alone.includes(service) ? ['merge', 'split'] : ['split', 'merge']
        for (const change of both)
          await once(`${change} ${service}`, () => fleet.change(change, { service }))
      }
  },
  roll: async ({ fleet, once, cycles }) => {
    for (let cycle = 0; cycle < cycles; cycle++)
      await once('roll everything', () => fleet.change('roll', {}))
  },
  release: async ({ fleet, once, publish, migrations }) => {
    for (const release of releases)
      await once(release.name, async () => {
        publish(release)
        await fleet.change('roll', {})
        if (!(await migrations('notifications')).includes(release.migration.id))
          throw new Error(`the release “${release.name}” was rolled out, but does not run`)
      })
  },
  scale: async ({ fleet, once, cycles, only }) => {
    const processes = await fleet.processes()
    const meant = processes.filter(({ role, services }) => isMeant(only, [role, ...services]))
    const roles = Map.groupBy(meant, ({ role }) => role)
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
      await once(`stop ${names.join(' and ')}`, async () =>
        stop(await pidsOf(fleet, names), stoppedMs),
      )
  },
  hang: async ({ fleet, once, only }) => {
    const processes = await fleet.processes()
    for (const service of servicesOf(processes).filter((one) => isMeant(only, [one]))) {
      const pids = processes.filter(({ services }) => services.includes(service))
      const without = [...new Set(pids.flatMap(({ services }) => services))]
      const work = () =>
        stop(
          pids.map(({ pid }) => pid),
          hungMs,
        )
      await once(`${service} hangs`, work, without)
    }
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
  'postgres-stop': async ({ once, cycles, postgres }) => {
    if (postgres === undefined) throw new Error('this PostgreSQL server is not ours to stop')
    for (let cycle = 0; cycle < cycles; cycle++)
      await once('stop PostgreSQL', async () => {
        postgres.freeze()
        await pause(stoppedMs)
        postgres.thaw()
      })
  },
} as const satisfies Record<string, (doing: Doing) => Promise<void>>

export type DeedName = keyof typeof deeds

/** Changes that nobody may notice; what the others do is not the fleet's wish. */
export const unnoticed: readonly DeedName[] = ['none', 'split-merge', 'roll', 'release', 'scale']
