import { openConnection, type Connection } from '../connection.ts'
import { operationsOf, type ListedOperation } from '../operations.ts'
import { faultsOf } from '../faults.ts'
import { bearer, send, type Reply, type RequestParts } from '../raw-http.ts'
import { openWorld, type Place } from '../world.ts'
import { openCallers, type RoleName } from './callers.ts'
import { declaredBy } from './declared.ts'
import { curlOf, shrink, type Finding } from './finding.ts'
import { generate } from './generate.ts'
import { harvest } from './harvest.ts'
import { randomFrom, type Random } from './random.ts'

/*
 * Sends made-up requests to a shop that runs, group by group (a group is a tag of its documents), and looks at each reply:
 * it must not be a 5xx, and it must be one that the document declares.
 */

export interface FuzzReport {
  readonly group: string
  readonly requests: number
  readonly seconds: number
  /** How many replies of each status there were. */
  readonly statuses: ReadonlyMap<number, number>
  readonly findings: readonly Finding[]
}

export interface FuzzOptions {
  readonly group: string
  readonly requests: number
  readonly seed: number
  /** At the same time; default 8. */
  readonly workers?: number
  /** Told after each request. */
  readonly progress?: (done: number) => void
}

/** More of them are of the same kind, and each costs time to shrink. */
const mostFindings = 20

/** These compute a password's hash when they are let in: asked less often. */
const costly = /^accounts\.(register|login|changePassword|resetPassword)$/
/** These end their caller's session or account. */
const ending = /^accounts\.(logout|erase|changePassword|endSession)$/

export const openFuzzer = async (place: Place) => {
  const world = await openWorld(place)
  const callers = await openCallers(world)
  const sides = await Promise.all(
    [place.address, place.operator].map(async (address) => ({
      address,
      operations: await operationsOf(address),
      check: declaredBy((await send(address, { path: '/openapi.json' })).json()),
    })),
  )
  const targets = sides.flatMap(({ address, operations, check }) =>
    operations.map((operation) => ({ address, operation, check })),
  )
  type Target = (typeof targets)[number]
  const groupOf = ({ operation }: Target) => operation.id.split('.')[0] ?? ''
  const skus = [
    await world.product({ onHand: 1_000_000_000 }),
    await world.product({ onHand: 1_000_000_000 }),
    await world.product({ onHand: 0 }),
  ]

  const roleFor = ({ id, roles }: ListedOperation, random: Random): RoleName =>
    ending.test(id) ? 'victim' : roles.length > 0 || random.chance(0.3) ? 'admin' : 'customer'

  const run = async (options: FuzzOptions): Promise<FuzzReport> => {
    const { group, requests, seed, workers = 8, progress } = options
    const mine = targets.filter((target) => groupOf(target) === group)
    if (mine.length === 0) throw new Error(`no operation has the tag ${group}`)
    const victim = () => callers.user('victim')
    const pool = harvest({
      sku: skus,
      token: ['tok_ok', 'tok_ok', 'tok_declined', 'tok_flaky'],
      after: ['0', '1', '2', '4'],
      from: ['2026-01-01T00:00:00Z'],
      email: [`${group}-${seed}@example.org`],
    })
    const statuses = new Map<number, number>()
    const findings: Finding[] = []
    const begun = performance.now()
    let started = 0
    let done = 0

    const credentialsFor = (
      operation: ListedOperation,
      random: Random,
    ): { readonly headers: Record<string, string>; readonly as: RoleName | undefined } => {
      // It lifts the limits of how much may be sent.
      const headers = { 'x-serval-operator': place.operatorKey }
      if (operation.access === 'operator')
        return { headers: random.chance(0.96) ? headers : {}, as: undefined }
      if (random.chance(0.04)) return { headers, as: undefined }
      const as = random.chance(0.95) ? roleFor(operation, random) : 'customer'
      return { headers: { ...headers, ...bearer(callers.user(as).token) }, as }
    }

    const faultsIn = (
      { check, operation }: Target,
      { parts, routed, what }: Pick<ReturnType<typeof generate>, 'parts' | 'routed' | 'what'>,
      reply: Reply | undefined,
    ): readonly string[] => {
      if (reply === undefined) return ['the connection was closed without a reply']
      const method = parts.method ?? 'GET'
      if (routed && !(what === 'odd framing' && reply.status === 417))
        return check(operation, method, reply)
      if (reply.status >= 500) return [`it is ${reply.status}`]
      return reply.status < 400 || method === 'HEAD' ? [] : faultsOf(reply)
    }

    const one = async (connections: ReadonlyMap<string, Connection>, index: number) => {
      const random = randomFrom(seed + index * 0x9e3779b1)
      let target = random.pick(mine)
      if (costly.test(target.operation.id) && random.chance(0.6)) target = random.pick(mine)
      const { operation, address } = target
      const { headers, as } = credentialsFor(operation, random)
      // Who is named by id is the one whom it does no harm.
      const found = operation.id === 'accounts.setRoles' ? { get: () => [victim().id] } : pool
      const generated = generate(operation, headers, random, found)
      const exchange = (parts: RequestParts) =>
        connections.get(address)?.send(parts) ?? Promise.resolve(undefined)
      const reply = await exchange(generated.parts)
      const faults = faultsIn(target, generated, reply)
      if (reply !== undefined) {
        statuses.set(reply.status, (statuses.get(reply.status) ?? 0) + 1)
        if (generated.routed) pool.learn(operation, reply)
        const refused = reply.status === 401 && as !== undefined
        if (
          refused &&
          (as !== 'victim' || random.chance(0.3)) &&
          !(
            'authorization' in headers &&
            generated.parts.headers?.['authorization'] !== headers['authorization']
          )
        )
          await callers.renew(as)
      }
      if (faults.length === 0 || findings.length >= mostFindings) return
      const same = async (parts: RequestParts) => {
        const again = faultsIn(target, { ...generated, parts }, await exchange(parts))
        return again[0] === faults[0]
      }
      const smallest = await shrink(generated.parts, same)
      findings.push({
        operation: operation.id,
        faults,
        curl: curlOf(address, smallest),
        seed,
        index,
      })
    }

    const worker = async () => {
      const connections = new Map(sides.map(({ address }) => [address, openConnection(address)]))
      while (started < requests && findings.length < mostFindings) {
        await one(connections, started++)
        done += 1
        progress?.(done)
      }
      for (const connection of connections.values()) connection.close()
    }
    await Promise.all(Array.from({ length: workers }, worker))
    const seconds = (performance.now() - begun) / 1_000
    return { group, requests: done, seconds, statuses, findings }
  }
  return { groups: [...new Set(targets.map(groupOf))], run }
}
