import { rfc3339 } from 'serval'
import { sqlRepository } from 'serval/engines/sql'
import type { Sessions, SigningKeys, UserRecord, Users } from '../repository.ts'
import type { SigningKey } from '../signing-keys.ts'
import type { Family } from '../tokens.ts'

/** A record as its row is read: what may be undefined is null there. */
type Row<T> = { readonly [K in keyof T]: Exclude<T[K], undefined> | NullOf<T[K]> }
type NullOf<V> = undefined extends V ? null : never

const time = (ms: number | undefined) => (ms === undefined ? null : rfc3339(ms))

const userColumns = 'id, email, name, roles, password_hash as "passwordHash"'

export const sqlUsers = sqlRepository<Users>({
  migrations: [
    {
      id: 'accounts-001-users',
      sql: `create table account (
  id text primary key,
  email text not null unique,
  name text not null,
  roles text[] not null,
  password_hash text not null,
  created_at timestamptz not null
);
`,
    },
  ],
  open: (session) => ({
    byId: async (id) =>
      (
        await session.query<Row<UserRecord>>(`select ${userColumns} from account where id = $1`, [
          id,
        ])
      )[0],
    byEmail: async (email) =>
      (
        await session.query<Row<UserRecord>>(
          `select ${userColumns} from account where email = $1`,
          [email],
        )
      )[0],
    add: async (user, now) => {
      const added = await session.query(
        `insert into account (id, email, name, roles, password_hash, created_at)
values ($1, $2, $3, $4, $5, $6::timestamptz) on conflict (email) do nothing returning id`,
        [user.id, user.email, user.name, user.roles, user.passwordHash, rfc3339(now)],
      )
      return added.length === 1
    },
  }),
})

const familyColumns = `id, account_id as "userId", locator, started_at as "startedAt",
current_hash as current, previous_hash as previous, answer, rotated_at as "rotatedAt",
expires_at as "expiresAt", revoked_at as "revokedAt"`

export const sqlSessions = sqlRepository<Sessions>({
  migrations: [
    {
      id: 'accounts-002-sessions',
      sql: `create table session (
  id text primary key,
  account_id text not null references account (id) on delete cascade,
  locator text not null unique,
  started_at timestamptz not null,
  current_hash text not null,
  previous_hash text,
  answer bytea,
  rotated_at timestamptz not null,
  expires_at timestamptz not null,
  revoked_at timestamptz
);
create index session_account on session (account_id);
create index session_expiry on session (expires_at);
`,
    },
  ],
  open: (session) => ({
    add: (family) =>
      session.write(
        `insert into session (id, account_id, locator, started_at, current_hash, rotated_at, expires_at)
values ($1, $2, $3, $4::timestamptz, $5, $6::timestamptz, $7::timestamptz)`,
        [
          family.id,
          family.userId,
          family.locator,
          rfc3339(family.startedAt),
          family.current,
          rfc3339(family.rotatedAt),
          rfc3339(family.expiresAt),
        ],
      ),
    find: async (locator, lock) => {
      const rows = await session.query<Row<Family>>(
        `select ${familyColumns} from session where locator = $1${lock ? ' for update' : ''}`,
        [locator],
      )
      const row = rows[0]
      if (row === undefined) return undefined
      return {
        ...row,
        previous: row.previous ?? undefined,
        answer: row.answer ?? undefined,
        revokedAt: row.revokedAt ?? undefined,
      }
    },
    save: (family) =>
      session.write(
        `update session set current_hash = $2, previous_hash = $3, answer = $4,
rotated_at = $5::timestamptz, expires_at = $6::timestamptz, revoked_at = $7::timestamptz where id = $1`,
        [
          family.id,
          family.current,
          family.previous ?? null,
          family.answer ?? null,
          rfc3339(family.rotatedAt),
          rfc3339(family.expiresAt),
          time(family.revokedAt),
        ],
      ),
    prune: (now) =>
      session.write('delete from session where expires_at < $1::timestamptz', [rfc3339(now)]),
  }),
})

export const sqlSigningKeys = sqlRepository<SigningKeys>({
  migrations: [
    {
      id: 'accounts-003-signing-keys',
      sql: `create table signing_key (
  generation integer primary key,
  kid text not null unique,
  public_key text not null,
  sealed bytea not null,
  created_at timestamptz not null,
  signs_from timestamptz not null,
  published_until timestamptz
);
`,
    },
  ],
  open: (session) => ({
    all: async () => {
      const rows = await session.query<Row<SigningKey>>(
        `select generation, kid, public_key as "publicKey", sealed, signs_from as "signsFrom",
published_until as "publishedUntil" from signing_key order by generation`,
      )
      return rows.map((row) => ({ ...row, publishedUntil: row.publishedUntil ?? undefined }))
    },
    offer: (key, now) =>
      session.write(
        `insert into signing_key (generation, kid, public_key, sealed, created_at, signs_from, published_until)
values ($1, $2, $3, $4, $5::timestamptz, $6::timestamptz, $7::timestamptz)
on conflict (generation) do nothing`,
        [
          key.generation,
          key.kid,
          key.publicKey,
          key.sealed,
          rfc3339(now),
          rfc3339(key.signsFrom),
          time(key.publishedUntil),
        ],
      ),
  }),
})
