import { rfc3339 } from 'serval'
import { sqlRepository, type RepositorySession } from 'serval/engines/sql'
import type { EndedSessions, Sessions, SessionsOfUser } from '../../repository.ts'
import type { Family } from '../../sessions/family.ts'
import { pruned, type Row } from './row.ts'

const columns = `id, coalesce(token_session, id) as sid, account_id as "userId", locator,
started_at as "startedAt", current_hash as current, previous_hash as previous, answer,
rotated_at as "rotatedAt", expires_at as "expiresAt"`

/** Families: an earlier release left those that it ended as rows. */
const select = `select ${columns} from session where revoked_at is null and`

const finder =
  (session: RepositorySession) =>
  async (rest: string, values: readonly (string | number)[]): Promise<readonly Family[]> =>
    (await session.query<Row<Family>>(`${select} ${rest}`, values)).map((row) => ({
      ...row,
      previous: row.previous ?? undefined,
      answer: row.answer ?? undefined,
    }))

const ofUser = (session: RepositorySession): SessionsOfUser => {
  const found = finder(session)
  return {
    all: (userId) => found('account_id = $1 order by id for update', [userId]),
    one: async (userId, by) => {
      const [text, value] =
        'id' in by ? ['id = $2', by.id] : ['coalesce(token_session, id) = $2', by.sid]
      return (await found(`account_id = $1 and ${text} for update`, [userId, value]))[0]
    },
    beyond: (userId, keep) =>
      found(
        'account_id = $1 order by started_at desc, id desc offset $2::integer limit 100 for update',
        [userId, keep],
      ),
    page: (userId, { limit, after, now }) =>
      found(
        `account_id = $1 and expires_at > $2::timestamptz
and (started_at, id) < ($3::timestamptz, $4::text)
order by started_at desc, id desc limit $5::integer`,
        [
          userId,
          rfc3339(now),
          after === undefined ? 'infinity' : rfc3339(after.at),
          after?.id ?? '',
          limit,
        ],
      ),
  }
}

const ended = (session: RepositorySession): EndedSessions => ({
  end: (families) =>
    session.write('delete from session where id = any ($1::text[])', [
      families.map(({ id }) => id),
    ]),
  remember: (families, now) =>
    session.write(
      `insert into ended_session (id, ended_at) select id, $2::timestamptz
from unnest($1::text[]) as given (id) on conflict do nothing`,
      [families.map(({ sid }) => sid), rfc3339(now)],
    ),
  since: async (since) => {
    const text = 'select id from ended_session where ended_at > $1::timestamptz order by ended_at'
    return (await session.query<{ id: string }>(text, [rfc3339(since)])).map(({ id }) => id)
  },
  prune: ({ now, since }) => {
    session.write(
      `delete from session where id in (select id from session
where expires_at < $1::timestamptz order by expires_at limit ${pruned} for update skip locked)`,
      [rfc3339(now)],
    )
    session.write(
      `delete from ended_session where id in (select id from ended_session
where ended_at < $1::timestamptz order by ended_at limit ${pruned})`,
      [rfc3339(since)],
    )
  },
})

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
    {
      id: 'accounts-005-ended-sessions',
      sql: `alter table session add column token_session text;
create index session_of_account on session (account_id, started_at desc, id desc);
drop index session_account;
create table ended_session (id text primary key, ended_at timestamptz not null);
create index ended_session_time on ended_session (ended_at);
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
    find: async (locator, lock) =>
      (await finder(session)(`locator = $1${lock ? ' for update' : ''}`, [locator]))[0],
    save: (family) =>
      session.write(
        `update session set current_hash = $2, previous_hash = $3, answer = $4,
rotated_at = $5::timestamptz, expires_at = $6::timestamptz, token_session = $7 where id = $1`,
        [
          family.id,
          family.current,
          family.previous ?? null,
          family.answer ?? null,
          rfc3339(family.rotatedAt),
          rfc3339(family.expiresAt),
          family.sid,
        ],
      ),
    ofUser: ofUser(session),
    ended: ended(session),
  }),
})
