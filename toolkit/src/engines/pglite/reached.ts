import { failure } from '../../base/failure.ts'
import type { SqlDatabase, SqlRow } from '../sql/database.ts'
import { commitTogether } from '../sql/group.ts'
import { runReads, runTransaction, type Channel, type Statement } from '../sql/transaction.ts'

/** A service's share of the one session, which is in this process or in the one that lends it. */
export interface Reached {
  take(): Promise<Channel>
  /** Outside a transaction. */
  read(statement: Statement): Promise<readonly SqlRow[]>
  /** Several statements in one transaction. */
  script(text: string): Promise<void>
}

/** The way to the one session. */
export interface Reach {
  /** Makes the service's schema and role when they are missing. */
  of(service: string): Promise<Reached>
  close(): Promise<void>
}

export const databaseOn = ({ take, read, script }: Reached): SqlDatabase => {
  const together = commitTogether(take, take)
  return {
    transaction: (work) => runTransaction(take, work, together),
    read: (work) => runReads(read, work),
    script,
  }
}

const refusedNames = ['public', 'information_schema']

/** It becomes part of statements. */
export const checkName = (service: string): void => {
  if (!/^(?!pg_)[a-z][a-z0-9_-]{0,30}$/.test(service) || refusedNames.includes(service))
    throw failure(
      'misconfigured',
      `a service's name must match [a-z][a-z0-9_-]{0,30}, not '${service}'`,
    )
}

/** Remembers what was opened for each service, unless it failed. */
export const perService = <T>(
  open: (service: string) => Promise<T>,
): ((service: string) => Promise<T>) => {
  const opened = new Map<string, Promise<T>>()
  return (service) => {
    const known = opened.get(service) ?? open(service)
    opened.set(service, known)
    known.catch(() => opened.delete(service))
    return known
  }
}
