import { repository, type ServalError } from 'serval'
import type { Address } from '../address.ts'
import type { Tries } from './lockout/lockout.ts'
import type { MailKind } from './mail/contract.ts'
import type { Family } from './sessions/family.ts'
import type { SigningKey } from './signing-keys/signing-keys.ts'

export interface UserRecord {
  readonly id: string
  /** Normalised. */
  readonly email: string
  readonly name: string
  readonly address: Address | undefined
  readonly roles: readonly string[]
  readonly passwordHash: string
  /** When the address was confirmed. */
  readonly verifiedAt: number | undefined
}

/**
 * Rows are locked in this order: tries, accounts by id, sessions by id, the rest. Whoever ends or changes all sessions of a
 * user has locked the account, and whoever adds one shares it.
 */
export type Lock = 'shared' | 'exclusive'

/** Those who were erased are not found. */
export interface Users {
  byId(id: string, lock?: Lock): Promise<UserRecord | undefined>
  byEmail(email: string): Promise<UserRecord | undefined>
  /** This user, if there is one, and all admins, locked exclusively. */
  withAdmins(id: string): Promise<readonly UserRecord[]>
  /** Answers false, and adds nothing, when the address is taken. */
  add(user: UserRecord, now: number): Promise<boolean>
  /** Everything but id and e-mail address. */
  save(user: UserRecord): void
  /** Leaves the id, and nothing that says whose it was. */
  erase(id: string, now: number): void
}

export interface Sessions {
  add(family: Family): void
  /** By the locator; with `lock` nobody else changes it until this step ends. */
  find(locator: string, lock?: 'lock'): Promise<Family | undefined>
  save(family: Family): void
  readonly ofUser: SessionsOfUser
  readonly ended: EndedSessions
}

export interface SessionsOfUser {
  /** All, locked. */
  all(userId: string): Promise<readonly Family[]>
  /** One, locked, by its id or by what its access tokens name it. */
  one(
    userId: string,
    by: { readonly id: string } | { readonly sid: string },
  ): Promise<Family | undefined>
  /** Locked, those that started before the latest `keep`. */
  beyond(userId: string, keep: number): Promise<readonly Family[]>
  /** Those that have not expired at `now`, the latest first. */
  page(
    userId: string,
    page: {
      readonly limit: number
      readonly after: { readonly at: number; readonly id: string } | undefined
      readonly now: number
    },
  ): Promise<readonly Family[]>
}

export interface EndedSessions {
  /** Removes sessions. */
  end(families: readonly Family[]): void
  /** Remembers what access tokens named them. */
  remember(families: readonly Family[], now: number): void
  /** What ended after `since`. */
  since(since: number): Promise<readonly string[]>
  /** Deletes, a bounded number at a time, sessions that expired before `now` and the memory of what ended before `since`. */
  prune(times: { readonly now: number; readonly since: number }): void
}

export interface SigningKeys {
  all(lock?: 'lock'): Promise<readonly SigningKey[]>
  /** Adds the key unless its generation is there. */
  offer(key: SigningKey, now: number): void
  /** Adds the key and ends the others' time; when somebody else was faster the step runs again. */
  rotate(key: SigningKey, retired: readonly SigningKey[], now: number): void
  /** Deletes what is published no longer, private keys and all. */
  prune(now: number): void
}

/** Wrong passwords, by what the address that was typed comes to. */
export interface TryCounts {
  find(key: string): Promise<Tries | undefined>
  /** The row, made if need be, locked: tries for one address are judged one after the other. */
  lock(key: string, now: number): Promise<Tries>
  save(key: string, tries: Tries): void
  forget(key: string): void
  /** Deletes, a bounded number at a time, those of which the last was before `before`. */
  prune(before: number): void
}

/** A mail that was asked for. Its link is good for as long as this row is there and has not expired. */
export interface MailRequest {
  readonly id: string
  readonly userId: string
  readonly kind: MailKind
  readonly requestedAt: number
  readonly expiresAt: number
}

export interface MailRequests {
  add(request: MailRequest): void
  find(id: string): Promise<MailRequest | undefined>
  /** How many of a kind were asked for after `since`. */
  count(userId: string, kind: MailKind, since: number): Promise<number>
  /** Deletes a request; when it is gone, the step fails. */
  use(id: string, otherwise: ServalError): void
  /** Deletes a user's: of a kind, or all. */
  drop(userId: string, kind?: MailKind): void
  /** Deletes, a bounded number at a time, what expired before `now`. */
  prune(now: number): void
}

/** Mails by a key of the address that they go to: what is counted outlives the account. */
export interface MailCounts {
  /** Counts one more; answers how many there are with it since the first, which begins anew once it was before `since`. */
  add(key: string, times: { readonly now: number; readonly since: number }): Promise<number>
  /** Deletes, a bounded number at a time, those of which the first was before `since`. */
  prune(since: number): void
}

export const users = repository<Users>({
  scope: 'service',
  engines: { sql: async () => (await import('./repositories/sql/users.ts')).sqlUsers },
})

export const sessions = repository<Sessions>({
  scope: 'service',
  engines: { sql: async () => (await import('./repositories/sql/sessions.ts')).sqlSessions },
})

export const signingKeys = repository<SigningKeys>({
  scope: 'service',
  engines: { sql: async () => (await import('./repositories/sql/signing-keys.ts')).sqlSigningKeys },
})

export const tries = repository<TryCounts>({
  scope: 'service',
  engines: { sql: async () => (await import('./repositories/sql/tries.ts')).sqlTries },
})

export const mailRequests = repository<MailRequests>({
  scope: 'service',
  engines: {
    sql: async () => (await import('./repositories/sql/mail-requests.ts')).sqlMailRequests,
  },
})

export const mailCounts = repository<MailCounts>({
  scope: 'service',
  engines: {
    sql: async () => (await import('./repositories/sql/mail-counts.ts')).sqlMailCounts,
  },
})
