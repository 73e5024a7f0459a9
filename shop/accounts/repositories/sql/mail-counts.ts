import { rfc3339 } from 'serval'
import { sqlRepository } from 'serval/engines/sql'
import type { MailCounts } from '../../repository.ts'
import { pruned } from './row.ts'

export const sqlMailCounts = sqlRepository<MailCounts>({
  migrations: [
    {
      id: 'accounts-008-mail-counts',
      sql: `create table mail_count (
  key text primary key,
  mails integer not null,
  first_at timestamptz not null
);
create index mail_count_time on mail_count (first_at);
`,
    },
  ],
  open: (session) => ({
    add: async (key, { now, since }) => {
      const rows = await session.query<{ mails: number }>(
        `insert into mail_count (key, mails, first_at) values ($1, 1, $2::timestamptz)
on conflict (key) do update set
  mails = case when mail_count.first_at < $3::timestamptz then 1 else mail_count.mails + 1 end,
  first_at = case when mail_count.first_at < $3::timestamptz then $2::timestamptz else mail_count.first_at end
returning mails`,
        [key, rfc3339(now), rfc3339(since)],
      )
      return rows[0]?.mails ?? 1
    },
    prune: (since) =>
      session.write(
        `delete from mail_count where key in (select key from mail_count
where first_at < $1::timestamptz order by first_at limit ${pruned} for update skip locked)`,
        [rfc3339(since)],
      ),
  }),
})
