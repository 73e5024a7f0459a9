import { repository } from 'serval'
import type { SigningKey } from './signing-keys.ts'
import type { Family } from './tokens.ts'

export interface UserRecord {
  readonly id: string
  /** Normalised. */
  readonly email: string
  readonly name: string
  readonly roles: readonly string[]
  readonly passwordHash: string
}

export interface Users {
  byId(id: string): Promise<UserRecord | undefined>
  byEmail(email: string): Promise<UserRecord | undefined>
  /** Answers false, and adds nothing, when the address is taken. */
  add(user: UserRecord, now: number): Promise<boolean>
}

export interface Sessions {
  add(family: Family): void
  /** By the locator; with `lock` nobody else changes it until this step ends. */
  find(locator: string, lock?: 'lock'): Promise<Family | undefined>
  save(family: Family): void
  /** Deletes those that expired before `now`. */
  prune(now: number): void
}

export interface SigningKeys {
  all(): Promise<readonly SigningKey[]>
  /** Adds the key unless its generation is there. */
  offer(key: SigningKey, now: number): void
}

export const users = repository<Users>({
  scope: 'service',
  engines: { sql: async () => (await import('./repositories/sql.ts')).sqlUsers },
})

export const sessions = repository<Sessions>({
  scope: 'service',
  engines: { sql: async () => (await import('./repositories/sql.ts')).sqlSessions },
})

export const signingKeys = repository<SigningKeys>({
  scope: 'service',
  engines: { sql: async () => (await import('./repositories/sql.ts')).sqlSigningKeys },
})
