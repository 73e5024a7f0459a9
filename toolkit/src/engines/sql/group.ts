import { SqlError } from './database.ts'
import { combined } from './combine.ts'
import type { Channel, CommitTogether, Statement } from './transaction.ts'

/*
 * Group commit. Transactions that only write, and are ready while another commit is under way, share the next one: one BEGIN, one COMMIT and one
 * write to the disk, in the order in which they were ready. That is the same as running them one after the other, as long as all of them
 * succeed. If anything fails, all is rolled back, and each of them runs in a transaction of its own, and meets its own fate there.
 *
 * One group at a time: so groups of one process cannot wait for each other's rows. A group that waits for others' rows gives up soon (the
 * channel sets a limit), so that what has nothing to do with those rows does not wait for them.
 */

const maxTransactions = 64
const maxStatements = 512
/** How long a group waits for more, where the one before it had several: milliseconds. */
const lingerMs = 4

interface Member {
  readonly statements: readonly Statement[]
  resolve(): void
  reject(error: unknown): void
}

/** Whether each of those that failed together may fare better by itself. What was lost with its connection is for its caller to judge. */
const runsApart = (error: unknown, members: number): boolean => {
  if (!(error instanceof SqlError)) return members > 1
  if (error.outcome === 'unknown' || error.unreachable) return false
  return members > 1 || error.sqlState === lockTimeout
}

/** Those that must keep their order when they run alone: a cursor's moves build on each other. */
const chainOf = ({ statements }: Member): string | undefined =>
  statements.find(({ rows }) => rows?.chain !== undefined)?.rows?.chain

/** PostgreSQL's lock_not_available: the group waited for others' rows. */
const lockTimeout = '55P03'

/** `take` gives the channel for groups, `takeAlone` one for a transaction of its own. */
export const commitTogether = (
  take: () => Promise<Channel>,
  takeAlone: () => Promise<Channel>,
): CommitTogether => {
  let waiting: Member[] = []
  let running = false
  /** How many the last group had. */
  let last = 0

  const commit = async (channel: Channel, statements: readonly Statement[]): Promise<void> => {
    try {
      await channel.send(statements, { begin: true, commit: true })
    } catch (error) {
      await channel.rollback()
      throw error
    } finally {
      channel.release()
    }
  }

  const alone = (member: Member) =>
    takeAlone()
      .then((channel) => commit(channel, member.statements))
      .then(member.resolve, member.reject)

  /** The last of each chain that runs apart. */
  const chains = new Map<string, Promise<void>>()

  const followsApart = (member: Member): boolean => {
    const chain = chains.size === 0 ? undefined : chainOf(member)
    return chain !== undefined && chains.has(chain)
  }

  /** Each by itself, at once; one after the other where they build on each other. */
  const apart = (members: readonly Member[]) => {
    for (const member of members) {
      const chain = chainOf(member)
      const before = chain === undefined ? undefined : chains.get(chain)
      const run = before === undefined ? alone(member) : before.then(() => alone(member))
      if (chain === undefined) continue
      chains.set(chain, run)
      void run.then(() => {
        if (chains.get(chain) === run) chains.delete(chain)
      })
    }
  }

  const next = (): readonly Member[] => {
    let statements = 0
    const end = waiting.findIndex(
      (member, index) =>
        index === maxTransactions ||
        ((statements += member.statements.length) > maxStatements && index > 0),
    )
    const members = waiting.slice(0, end < 0 ? waiting.length : end)
    waiting = waiting.slice(members.length)
    return members
  }

  const runGroup = async (): Promise<void> => {
    let channel: Channel
    try {
      channel = await take()
    } catch (error) {
      for (const member of next()) member.reject(error)
      return
    }
    // Whoever came while the channel was busy takes part.
    const members = next()
    last = members.length
    try {
      await commit(channel, combined(members.map(({ statements }) => statements)))
      for (const member of members) member.resolve()
    } catch (error) {
      if (runsApart(error, members.length)) {
        apart(members)
        // Those behind them in their chains go there, too.
        const followers = new Set(waiting.filter(followsApart))
        waiting = waiting.filter((member) => !followers.has(member))
        apart([...followers])
      } else for (const member of members) member.reject(error)
    }
  }

  /** What becomes ready in the same turn of the event loop belongs together; where many are under way, what does a little later, too. */
  const gather = () =>
    new Promise((resolve) => {
      if (last > 1 && waiting.length < maxTransactions / 2) setTimeout(resolve, lingerMs)
      else setImmediate(resolve)
    })

  const run = async () => {
    while (waiting.length > 0) {
      await gather()
      await runGroup()
    }
    running = false
  }

  return (statements) =>
    new Promise((resolve, reject) => {
      const member = { statements, resolve, reject }
      if (followsApart(member)) return apart([member])
      waiting.push(member)
      if (running) return
      running = true
      void run()
    })
}
