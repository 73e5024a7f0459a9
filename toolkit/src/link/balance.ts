import type { Env } from '../base/env.ts'
import { asFailure, failure, isUnavailability, type ServalError } from '../base/failure.ts'
import { never } from '../guard/index.ts'
import { isFeed, type Call, type FeedReply, type Link, type Reply } from './call.ts'
import { logOf, type Directory } from './directory.ts'

export interface BalanceOptions {
  readonly env: Env
  readonly directory: Directory
  readonly linkTo: (address: string) => Link
  /** Hears of addresses at which no host is known any more. */
  readonly forget?: (address: string) => void
  /** Meets each host when it comes, so that no call waits for the connection. */
  readonly greet?: (id: string, host: Link) => void
  /** Whether a second run of a call is harmless, as a query's is, so that a new host may run it for practice; default: none. */
  readonly reads?: (call: Call) => boolean
  /** Hears why the directory does not answer. */
  readonly failed?: (error: unknown) => void
  /** Failures in a row after which a host is left out for a while; default 5. */
  readonly ejectAfter?: number
}

export interface BalancedLink extends Link {
  /** Whether a host that serves the contract is known. */
  serves(contract: string): boolean
  /** A link to each host that is known, but for one. */
  others(but: string): readonly Link[]
  stop(): void
}

/** A new host gets its full share only after so long: its caches are cold, its code is not compiled. */
const slowStartMs = 10_000
/** In the first of it it practises only, where there are others: what they cannot take at once it would take longer for. */
const practiceMs = 1_000
const ejectedMs = 1_000
const longestEjectedMs = 30_000

/** Reads that a new host runs for practice; new hosts practise in turn, so that they leave the cores to those that serve. */
const rehearsals = 200
const rehearsalMs = 1_000

/** A host, and how it does. */
class Target {
  readonly address: string
  readonly link: Link
  readonly since: number
  rehearsals = 0
  rehearsing = false
  underWay = 0
  failed = 0
  ejections = 0
  ejectedUntil = 0

  constructor(address: string, link: Link, since: number) {
    this.address = address
    this.link = link
    this.since = since
  }

  /** How often it is among those of which one is called: from 0, while it practises, to 1. */
  share(now: number): number {
    const shared = now - this.since - practiceMs
    return Math.min(1, Math.max(0, shared / (slowStartMs - practiceMs)))
  }

  /** Runs a read that another host answers, for nobody: callers should find its code compiled and its caches filled. */
  rehearse(call: Call, now: number): void {
    this.rehearsals += 1
    this.rehearsing = true
    const end = () => {
      this.rehearsing = false
    }
    const deadline = Math.min(call.deadline, now + rehearsalMs)
    this.link.call({ ...call, deadline, signal: never }).then(end, end)
  }

  mayRehearse(now: number): boolean {
    return now - this.since < slowStartMs && this.rehearsals < rehearsals
  }

  answered(): void {
    this.failed = 0
    this.ejections = 0
  }

  gaveUp(now: number, ejectAfter: number): void {
    this.failed += 1
    if (this.failed < ejectAfter) return
    this.failed = 0
    this.ejectedUntil = now + Math.min(longestEjectedMs, ejectedMs * 2 ** this.ejections)
    this.ejections += 1
  }
}

const served = ({ contract, operation }: Call): string =>
  operation.startsWith('$') ? logOf(contract) : contract

const nobody = (call: Call) =>
  failure('unavailable', `${call.target}: no host that serves ${call.contract} is known`)

/** A directory may say an address that is none: who is sent there hears why. */
const linked = (linkTo: (address: string) => Link, address: string): Link => {
  try {
    return linkTo(address)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    const failed = () => failure('unavailable', `${address} cannot be called: ${why}`, { cause })
    return { call: () => Promise.reject(failed()) }
  }
}

/**
 * Spreads calls over the hosts that serve a contract: of two picked at random the one with fewer calls under way (Mitzenmacher, The power of two
 * choices, 2001). A host that is not there, or does not answer, several times in a row is left out for a second, then longer (outlier
 * ejection); if all are, all are tried. A new host practises on the reads of the others for a second, and then gets its share little by little, however
 * idle it is. What was surely not sent goes to another host at once.
 */
export const balancedLink = (options: BalanceOptions): BalancedLink => {
  const { env, directory, linkTo, forget, reads = () => false, ejectAfter = 5 } = options
  let targets = new Map<string, Target>()
  let byContract = new Map<string, readonly Target[]>()

  const stop = directory.watch((peers) => {
    // The first hosts that are known have nobody to leave the work to.
    const since = targets.size === 0 ? env.now() - slowStartMs : env.now()
    const known = targets
    targets = new Map(
      peers.map(({ id, address }) => {
        const target = known.get(id)
        if (target?.address === address) return [id, target]
        const fresh = new Target(address, linked(linkTo, address), since)
        options.greet?.(id, fresh.link)
        return [id, fresh]
      }),
    )
    const all = peers.flatMap(({ id, contracts }) => {
      const target = targets.get(id)
      return target === undefined ? [] : contracts.map((contract) => ({ contract, target }))
    })
    const named = new Set(peers.map(({ address }) => address))
    for (const { address } of known.values()) if (!named.has(address)) forget?.(address)
    byContract = new Map(
      [...Map.groupBy(all, ({ contract }) => contract)].map(([contract, hosts]) => [
        contract,
        hosts.map(({ target }) => target),
      ]),
    )
  }, options.failed)

  const pick = (among: readonly Target[], now: number): Target | undefined => {
    const well = among.filter(({ ejectedUntil }) => ejectedUntil <= now)
    const most = Math.max(...well.map((target) => target.share(now)))
    const drawn = well.filter((target) => env.random() * most < target.share(now))
    const from = [drawn, well].find(({ length }) => length > 0) ?? among
    const first = Math.floor(env.random() * from.length)
    const step = 1 + Math.floor(env.random() * (from.length - 1))
    const [one, other] = [from[first], from[(first + step) % from.length]]
    if (one === undefined || other === undefined) return one
    return other.underWay < one.underWay ? other : one
  }

  const rehearse = (call: Call, among: readonly Target[], answering: Target, now: number) => {
    if (!reads(call) || among.some(({ rehearsing }) => rehearsing)) return
    const [fresh] = among
      .filter((target) => target !== answering && target.mayRehearse(now))
      .toSorted((a, b) => a.rehearsals - b.rehearsals)
    fresh?.rehearse(call, now)
  }

  const ask = async (target: Target, call: Call): Promise<Reply> => {
    target.underWay += 1
    let goesOn = false
    try {
      const reply = await target.link.call(call)
      target.answered()
      if (!isFeed(reply)) return reply
      goesOn = true
      return counted(target, reply)
    } catch (error) {
      const said = says(call, asFailure(error))
      if (said === 'nothing') target.gaveUp(env.now(), ejectAfter)
      if (said === 'something') target.answered()
      throw error
    } finally {
      if (!goesOn) target.underWay -= 1
    }
  }

  return {
    serves: (contract) => byContract.has(contract),
    others: (but) => [...targets].flatMap(([id, { link }]) => (id === but ? [] : [link])),
    stop,
    call: async (call) => {
      const tried = new Set<Target>()
      let last: ServalError | undefined
      for (;;) {
        const left = (byContract.get(served(call)) ?? []).filter((target) => !tried.has(target))
        const now = env.now()
        const target = pick(left, now)
        if (target === undefined) throw last ?? nobody(call)
        if (left.length > 1) rehearse(call, left, target, now)
        try {
          return await ask(target, call)
        } catch (error) {
          last = asFailure(error)
          const elsewhere = last.ran === 'not-sent' && last.retryable && isUnavailability(last)
          if (!elsewhere || call.signal.aborted || call.deadline <= env.now()) throw error
          tried.add(target)
        }
      }
    },
  }
}

/** What a failed call tells of the host: that it is there and says `something`, that it says `nothing`, or, as its caller gave up, neither. */
const says = ({ signal }: Call, failed: ServalError): 'something' | 'nothing' | 'neither' => {
  if (signal.aborted)
    return asFailure(signal.reason).code === 'deadline-exceeded' ? 'nothing' : 'neither'
  return isUnavailability(failed) && failed.code !== 'overloaded' ? 'nothing' : 'something'
}

/** A feed is under way until it ends. */
const counted = (target: Target, { value: feed }: FeedReply): Reply => {
  const items = async function* () {
    try {
      yield* feed
    } finally {
      target.underWay -= 1
    }
  }
  return { value: items() }
}
