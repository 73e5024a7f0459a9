import type { Env } from '../base/env.ts'
import { asFailure } from '../base/failure.ts'
import { edgeContract } from '../host/joining.ts'
import type { Peer } from '../link/directory.ts'
import { ChangeFailed, WrongChange } from './contract.ts'
import { peerTable, type Peers } from './peers.ts'
import { scaled, withMerged, withSplit, type Plan, type PlannedRole } from './plan.ts'
import type { HostProcess } from './processes.ts'

export interface SupervisorOptions {
  readonly env: Env
  readonly plan: Plan
  /** Starts a process for a role. */
  readonly start: (about: Pick<HostProcess, 'id' | 'name' | 'role' | 'runs'>) => HostProcess
  /** Told what happens, for a person. */
  readonly say: (text: string) => void
  /** Told which processes there are, after each change. */
  readonly changed?: (running: readonly HostProcess[]) => void
  /** How long what is new runs beside what it replaces: it practises on copies of the reads that come, then takes a growing share of the calls; default 4,000. */
  readonly besideMs?: number
  /** How long a process may take to be ready; default 120,000. */
  readonly readyMs?: number
  /** How long one may take to drain before it is killed; default 30,000. */
  readonly drainMs?: number
}

export interface ProcessStatus {
  readonly name: string
  readonly role: string
  readonly pid: number
  readonly state: HostProcess['state']
  readonly services: readonly string[]
  readonly edge: boolean
  /** Of its link, once it listens. */
  readonly address: string | undefined
  readonly upMs: number
  readonly restarts: number
}

export interface Supervisor {
  readonly peers: Peers
  /** A host says what it serves. */
  announce(peer: Peer): void
  /** A host says that it serves nothing more. */
  leave(id: string): void
  /** Starts everything; rejects when a part does not come up. */
  up(): Promise<void>
  scale(role: string, replicas: number): Promise<void>
  split(service: string): Promise<void>
  merge(service: string): Promise<void>
  /** Replaces the processes of a role, or all. */
  roll(role: string | undefined): Promise<void>
  down(): Promise<void>
  readonly doing: string | undefined
  processes(): readonly ProcessStatus[]
}

const firstWaitMs = 100
const longestWaitMs = 10_000
/** A process that ran so long may start again at once. */
const steadyMs = 60_000

const lastWords = ({ last }: HostProcess): string => last.slice(-5).join('\n')

const sameParts = (a: PlannedRole, b: PlannedRole | undefined): boolean =>
  b !== undefined &&
  a.edge === b.edge &&
  a.services.length === b.services.length &&
  a.services.every((service) => b.services.includes(service))

/**
 * Has the processes of a plan run: starts again what ends, and changes from one plan to another by starting what is new, waiting until it
 * serves, and only then draining what is old. A process never changes what it runs.
 */
export const supervisor = (options: SupervisorOptions): Supervisor => {
  const { env, say, besideMs = 4_000, readyMs = 120_000, drainMs = 30_000 } = options
  const peers = peerTable(env.after)
  const running = new Set<HostProcess>()
  const restarts = new Map<string, number>()
  const readers = new Map<string, () => void>()
  /** What a change has started and waits for: if it ends, the change fails, which says why, and nothing starts again. */
  const tried = new Set<HostProcess>()
  let plan = options.plan
  let ending = false
  let doing: string | undefined
  let queue: Promise<unknown> = Promise.resolve()

  const isReady = ({ id, runs }: HostProcess): boolean => {
    const contracts = peers.get(id)?.contracts
    return (
      contracts !== undefined &&
      runs.services.every((service) => contracts.includes(service)) &&
      (!runs.edge || contracts.includes(edgeContract))
    )
  }

  /** While the whole fleet ends, nobody is told who left: all do, and answer each other until then. */
  const leave = (id: string) => {
    if (!ending) peers.delete(id)
  }

  const freeName = (role: string): string => {
    const taken = new Set([...running].map(({ name }) => name))
    for (let n = 1; ; n++) if (!taken.has(`${role}.${n}`)) return `${role}.${n}`
  }

  const start = (role: string, runs: PlannedRole, name = freeName(role)): HostProcess => {
    const made = options.start({ id: env.id(), name, role, runs })
    running.add(made)
    void made.ended.then((how) => ended(made, how))
    options.changed?.([...running])
    return made
  }

  /** Starts again what ended by itself, later each time. */
  const ended = (one: HostProcess, how: string) => {
    running.delete(one)
    leave(one.id)
    options.changed?.([...running])
    const awaited = readers.get(one.id)
    awaited?.()
    if (one.state === 'leaving' || ending) return
    if (tried.has(one)) return say(`${one.name}: ${how}`)
    const said = awaited === undefined || one.last.length === 0 ? '' : `\n${lastWords(one)}`
    const times = env.now() - one.since > steadyMs ? 0 : (restarts.get(one.name) ?? 0)
    restarts.set(one.name, times + 1)
    const wait = Math.min(longestWaitMs, firstWaitMs * 2 ** times)
    say(`${one.name}: ${how}; it starts again in ${wait} ms${said}`)
    env.after(wait, () => {
      const runs = plan[one.role]
      const wanted =
        runs !== undefined && sameParts(runs, one.runs) && live(one.role).length < runs.replicas
      if (ending || !wanted) return
      void ready(start(one.role, runs, one.name)).catch(() => undefined)
    })
  }

  const live = (role: string): readonly HostProcess[] =>
    [...running].filter((one) => one.role === role && one.state !== 'leaving')

  const ready = (one: HostProcess): Promise<void> => {
    const begun = env.now()
    return new Promise((resolve, reject) => {
      const end = (settle: () => void) => {
        forget()
        readers.delete(one.id)
        settle()
      }
      const fail = (why: string) => {
        const said = one.last.length === 0 ? '' : `\n${lastWords(one)}`
        end(() => reject(ChangeFailed(undefined, `${one.name}: ${why}${said}`)))
      }
      const forget = env.after(readyMs, () => {
        one.kill()
        fail(`it was not ready within ${readyMs / 1_000} s`)
      })
      const look = () => {
        if (!running.has(one)) return fail('it ended before it was ready')
        if (ending) return fail('the fleet is being ended')
        if (!isReady(one)) return
        one.state = 'ready'
        say(`${one.name}: ready after ${((env.now() - begun) / 1_000).toFixed(1)} s`)
        end(resolve)
      }
      readers.set(one.id, look)
      look()
    })
  }

  const stop = async (one: HostProcess): Promise<void> => {
    one.state = 'leaving'
    say(`${one.name}: draining`)
    await one.stop(drainMs)
    say(`${one.name}: ended`)
  }

  /** What came up beside one that did not is ended again. */
  const undo = (fresh: readonly HostProcess[]): Promise<unknown> => {
    for (const one of fresh) one.state = 'leaving'
    return Promise.all(fresh.map((one) => one.stop(drainMs)))
  }

  /** Starts so many of each role, one after the other: a start takes a core for a second, which is needed for what runs. All of them, or none. */
  const startInTurn = async (wanted: readonly (readonly [string, PlannedRole])[]) => {
    const fresh: HostProcess[] = []
    try {
      for (const [role, runs] of wanted) {
        const one = start(role, runs)
        fresh.push(one)
        await tryOut(one)
      }
    } catch (error) {
      await undo(fresh)
      throw error
    }
    return fresh
  }

  /** Waits for what a change has started. */
  const tryOut = (one: HostProcess): Promise<void> => {
    tried.add(one)
    return ready(one).finally(() => tried.delete(one))
  }

  const practice = (): Promise<void> => (besideMs > 0 ? env.sleep(besideMs) : Promise.resolve())

  const change = async (next: Plan): Promise<void> => {
    const kept = new Set<HostProcess>()
    const before = plan
    const missing = Object.entries(next).flatMap(([name, role]) => {
      const same = sameParts(role, before[name]) ? live(name).slice(0, role.replicas) : []
      for (const one of same) kept.add(one)
      return Array.from({ length: role.replicas - same.length }, () => [name, role] as const)
    })
    const fresh = await startInTurn(missing)
    plan = next
    const old = [...running].filter(
      (one) => !kept.has(one) && !fresh.includes(one) && one.state !== 'leaving',
    )
    if (fresh.length > 0 && old.length > 0) await practice()
    for (const one of old) await stop(one)
  }

  /** What ended by itself during a change may have been replaced twice, or not at all. */
  const settle = async (): Promise<void> => {
    for (const [name, role] of Object.entries(plan)) {
      const alive = live(name)
      for (let at = alive.length; at < role.replicas; at++)
        void ready(start(name, role)).catch(() => undefined)
      for (const one of alive.slice(role.replicas)) await stop(one)
    }
  }

  /** One after the other; the next begins when the one before has ended, however it did. */
  const inTurn = (what: string, work: () => Promise<void>): Promise<void> => {
    const turn = queue.then(async () => {
      if (ending) throw WrongChange(undefined, 'the fleet is being ended')
      doing = what
      try {
        await work()
      } finally {
        if (!ending) await settle()
        doing = undefined
      }
    })
    queue = turn.catch(() => undefined)
    return turn
  }

  return {
    peers,
    announce: (peer) => {
      // What a process said last may arrive after its end.
      if ([...running].every(({ id }) => id !== peer.id)) return
      peers.set(peer)
      readers.get(peer.id)?.()
    },
    leave,
    get doing() {
      return doing
    },
    processes: () =>
      [...running].map(({ id, name, role, pid, state, runs, since }) => ({
        name,
        role,
        pid,
        state,
        services: runs.services,
        edge: runs.edge,
        address: peers.get(id)?.address,
        upMs: env.now() - since,
        restarts: restarts.get(name) ?? 0,
      })),
    up: () =>
      inTurn('starting', async () => {
        // All at once: they wait for each other, and nobody else does yet.
        const all = Object.entries(plan).flatMap(([name, role]) =>
          Array.from({ length: role.replicas }, () => start(name, role)),
        )
        await Promise.all(all.map(tryOut)).catch(async (error: unknown) => {
          ending = true
          await undo(all)
          throw error
        })
      }),
    scale: (role, replicas) =>
      inTurn(`scaling ${role} to ${replicas}`, async () => change(scaled(plan, role, replicas))),
    split: (service) =>
      inTurn(`splitting ${service}`, async () => change(withSplit(plan, service))),
    merge: (service) => inTurn(`merging ${service}`, async () => change(withMerged(plan, service))),
    roll: (role) =>
      inTurn(`rolling ${role ?? 'everything'}`, async () => {
        if (role !== undefined && !Object.hasOwn(plan, role))
          throw WrongChange(
            undefined,
            `there is no role ${role}; there are ${Object.keys(plan).join(', ')}`,
          )
        const old = Object.entries(plan).flatMap(([name, runs]) =>
          role === undefined || role === name ? live(name).map((one) => ({ one, runs })) : [],
        )
        for (const { one, runs } of old) {
          // What ended meanwhile was replaced already.
          if (!running.has(one)) continue
          await startInTurn([[one.role, runs]])
          await practice()
          if (running.has(one)) await stop(one)
        }
      }),
    down: async () => {
      ending = true
      for (const look of [...readers.values()]) look()
      await queue
      // Edges first: they need the services for what they have begun.
      for (const edge of [true, false])
        await Promise.all(
          [...running]
            .filter(({ runs }) => runs.edge === edge)
            .map((one) => (one.state === 'leaving' ? one.ended : stop(one))),
        ).catch((error: unknown) => say(asFailure(error).message))
    },
  }
}
