import { rfc3339 } from 'serval'
import { sqlRepository } from 'serval/engines/sql'
import type { Tries } from '../../lockout/lockout.ts'
import type { TryCounts } from '../../repository.ts'
import { pruned, time, type Row } from './row.ts'

const columns = 'failures, last_at as "lastAt", locked_until as "lockedUntil"'

const record = (row: Row<Tries>): Tries => ({ ...row, lockedUntil: row.lockedUntil ?? undefined })

export const sqlTries = sqlRepository<TryCounts>({
  migrations: [
    {
      id: 'accounts-006-sign-in-tries',
      sql: `create table sign_in_tries (
  key text primary key,
  failures integer not null,
  last_at timestamptz not null,
  locked_until timestamptz
);
create index sign_in_tries_time on sign_in_tries (last_at);
`,
    },
  ],
  open: (session) => ({
    find: async (key) =>
      (
        await session.query<Row<Tries>>(`select ${columns} from sign_in_tries where key = $1`, [
          key,
        ])
      ).map(record)[0],
    lock: async (key, now) => {
      // Changes nothing of a row that is there: but an insert that meets it would not lock it.
      const rows = await session.query<Row<Tries>>(
        `insert into sign_in_tries (key, failures, last_at) values ($1, 0, $2::timestamptz)
on conflict (key) do update set failures = sign_in_tries.failures returning ${columns}`,
        [key, rfc3339(now)],
      )
      return rows.map(record)[0] ?? { failures: 0, lastAt: now, lockedUntil: undefined }
    },
    save: (key, { failures, lastAt, lockedUntil }) =>
      session.write(
        `update sign_in_tries set failures = $2::integer, last_at = $3::timestamptz,
locked_until = $4::timestamptz where key = $1`,
        [key, failures, rfc3339(lastAt), time(lockedUntil)],
      ),
    forget: (key) => session.write('delete from sign_in_tries where key = $1', [key]),
    prune: (before) =>
      session.write(
        `delete from sign_in_tries where key in (select key from sign_in_tries
where last_at < $1::timestamptz order by last_at limit ${pruned} for update skip locked)`,
        [rfc3339(before)],
      ),
  }),
})
