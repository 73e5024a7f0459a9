import { rfc3339 } from 'serval'
import { sqlRepository } from 'serval/engines/sql'
import type { Lock, UserRecord, Users } from '../../repository.ts'
import { time, type Row } from './row.ts'

const columns = `id, email, name, address, roles, password_hash as "passwordHash",
verified_at as "verifiedAt"`

/** The keys of the row never change: sessions may be added to an account that is locked. */
const locks: Readonly<Record<Lock, string>> = {
  shared: ' for share',
  exclusive: ' for no key update',
}
const lockText = (lock: Lock | undefined) => (lock === undefined ? '' : locks[lock])

const record = (row: Row<UserRecord>): UserRecord => ({
  ...row,
  address: row.address ?? undefined,
  verifiedAt: row.verifiedAt ?? undefined,
})

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
    {
      // Of somebody who was erased the id is left: it stands in orders.
      id: 'accounts-004-profiles',
      sql: `alter table account
  alter column email drop not null,
  alter column name drop not null,
  alter column password_hash drop not null,
  add column address jsonb,
  add column verified_at timestamptz,
  add column erased_at timestamptz;
create index account_admin on account (id) where 'admin' = any (roles);
`,
    },
  ],
  open: (session) => {
    const all = async (where: string, value: string) =>
      (
        await session.query<Row<UserRecord>>(
          `select ${columns} from account where erased_at is null and ${where}`,
          [value],
        )
      ).map(record)
    return {
      byId: async (id, lock) => (await all(`id = $1${lockText(lock)}`, id))[0],
      byEmail: async (email) => (await all('email = $1', email))[0],
      withAdmins: (id) =>
        all(`(id = $1 or 'admin' = any (roles)) order by id${lockText('exclusive')}`, id),
      add: async (user, now) => {
        const added = await session.query(
          `insert into account (id, email, name, roles, password_hash, verified_at, created_at)
values ($1, $2, $3, $4, $5, $6::timestamptz, $7::timestamptz) on conflict (email) do nothing returning id`,
          [
            user.id,
            user.email,
            user.name,
            user.roles,
            user.passwordHash,
            time(user.verifiedAt),
            rfc3339(now),
          ],
        )
        return added.length === 1
      },
      save: (user) =>
        session.write(
          `update account set name = $2, address = $3::jsonb, roles = $4, password_hash = $5,
verified_at = $6::timestamptz where id = $1`,
          [
            user.id,
            user.name,
            user.address === undefined ? null : JSON.stringify(user.address),
            user.roles,
            user.passwordHash,
            time(user.verifiedAt),
          ],
        ),
      erase: (id, now) =>
        session.write(
          `update account set email = null, name = null, address = null, roles = '{}',
password_hash = null, verified_at = null, erased_at = $2::timestamptz where id = $1`,
          [id, rfc3339(now)],
        ),
    }
  },
})
