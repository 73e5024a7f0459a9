import { rfc3339 } from 'serval'
import { sqlRepository } from 'serval/engines/sql'
import type { MailRequest, MailRequests } from '../../repository.ts'
import { pruned, type Row } from './row.ts'

const columns = `id, account_id as "userId", kind, requested_at as "requestedAt",
expires_at as "expiresAt"`

export const sqlMailRequests = sqlRepository<MailRequests>({
  migrations: [
    {
      id: 'accounts-007-mail-requests',
      sql: `create table mail_request (
  id text primary key,
  account_id text not null references account (id),
  kind text not null,
  requested_at timestamptz not null,
  expires_at timestamptz not null
);
create index mail_request_of_account on mail_request (account_id, kind, requested_at);
create index mail_request_expiry on mail_request (expires_at);
`,
    },
  ],
  open: (session) => ({
    add: ({ id, userId, kind, requestedAt, expiresAt }) =>
      session.write(
        `insert into mail_request (id, account_id, kind, requested_at, expires_at)
values ($1, $2, $3, $4::timestamptz, $5::timestamptz)`,
        [id, userId, kind, rfc3339(requestedAt), rfc3339(expiresAt)],
      ),
    find: async (id) =>
      (
        await session.query<Row<MailRequest>>(`select ${columns} from mail_request where id = $1`, [
          id,
        ])
      )[0],
    count: async (userId, kind, since) => {
      const rows = await session.query<{ requests: number }>(
        `select count(*) as requests from mail_request
where account_id = $1 and kind = $2 and requested_at > $3::timestamptz`,
        [userId, kind, rfc3339(since)],
      )
      return rows[0]?.requests ?? 0
    },
    use: (id, otherwise) =>
      session.write('delete from mail_request where id = $1', [id], { rows: 1, otherwise }),
    drop: (userId, kind) =>
      session.write(
        'delete from mail_request where account_id = $1 and ($2::text is null or kind = $2)',
        [userId, kind ?? null],
      ),
    prune: (now) =>
      session.write(
        `delete from mail_request where id in (select id from mail_request
where expires_at < $1::timestamptz order by expires_at limit ${pruned} for update skip locked)`,
        [rfc3339(now)],
      ),
  }),
})
