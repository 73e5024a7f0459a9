import { rfc3339 } from 'serval'
import { sqlRepository } from 'serval/engines/sql'
import type { Kind } from '../render.ts'
import type { NotificationRepository } from '../repository.ts'

type NotificationRow = {
  readonly id: string
  readonly kind: Kind
  readonly subject: string
  readonly sent_at: number
  readonly order_id: string | null
}

export const notificationsOnSql = sqlRepository<NotificationRepository>({
  migrations: [
    {
      id: 'notifications-001-notifications',
      sql: `
create table notification (
  id text primary key, user_id text not null, kind text not null, subject text not null,
  sent_at timestamptz not null, order_id text not null
);
create index notification_of_user on notification (user_id, sent_at desc, id desc);
`,
    },
    {
      id: 'notifications-002-accounts',
      sql: `
alter table notification alter column order_id drop not null;
`,
    },
  ],
  open: (session) => ({
    add: async (userId, { id, kind, subject, sentAt, orderId }) => {
      session.touch(userId)
      session.writeRows({
        text: `insert into notification (id, user_id, kind, subject, sent_at, order_id)
         select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[])
         on conflict do nothing`,
        columns: [[id], [userId], [kind], [subject], [rfc3339(sentAt)], [orderId ?? null]],
      })
    },
    list: async (userId, { limit, after }) => {
      const rows = await session.query<NotificationRow>(
        `select id, kind, subject, sent_at, order_id from notification
         where user_id = $1 and (sent_at, id) < ($2::timestamptz, $3::text)
         order by sent_at desc, id desc limit $4::integer`,
        [userId, after === undefined ? 'infinity' : rfc3339(after.at), after?.id ?? '', limit],
      )
      return rows.map((row) => ({
        id: row.id,
        kind: row.kind,
        subject: row.subject,
        sentAt: row.sent_at,
        orderId: row.order_id ?? undefined,
      }))
    },
    counts: async () => {
      const rows = await session.query<{ kind: Kind; notifications: number }>(
        'select kind, count(*) as notifications from notification group by kind',
      )
      return new Map(rows.map((row) => [row.kind, row.notifications]))
    },
    erase: async (userId, limit) => {
      session.touch(userId)
      const erased = await session.query(
        `delete from notification where id in (
           select id from notification where user_id = $1 limit $2::integer for update
         ) returning id`,
        [userId, limit],
      )
      return erased.length
    },
  }),
})
