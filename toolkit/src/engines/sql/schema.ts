/** The toolkit's own tables in each service's database. */
export const toolkitMigrations: readonly Migration[] = [
  {
    id: 'serval-001-step',
    sql: `
create table serval_outbox (
  seq bigint generated always as identity primary key,
  partition smallint not null, key text not null, id text not null, type text not null,
  data text not null, at timestamptz not null, correlation_id text not null
);
create table serval_head (partition smallint primary key, position bigint not null);
insert into serval_head select p, 0 from generate_series(0, 15) p;
create table serval_log (
  partition smallint not null, position bigint not null, key text not null, id text not null, type text not null,
  data text not null, at timestamptz not null, correlation_id text not null,
  primary key (partition, position)
);
create index serval_log_at on serval_log (at);
create table serval_reader (
  subscription text not null, partition smallint not null, position bigint not null,
  primary key (subscription, partition)
);
create table serval_reply (
  scope text not null, key text not null, input_hash text not null, status smallint not null,
  content_type text not null, location text, body bytea not null, expires_at timestamptz not null,
  primary key (scope, key)
);
create index serval_reply_expires on serval_reply (expires_at);
create table serval_cursor (
  subscription text not null, publisher text not null, partition smallint not null, position bigint not null,
  primary key (subscription, publisher, partition)
) with (fillfactor = 50);
create table serval_held (
  subscription text not null, publisher text not null, partition smallint not null, position bigint not null,
  key text not null, message text not null, due_at timestamptz not null, failures integer not null, tries integer not null,
  parked boolean not null default false, error text, holder text,
  primary key (subscription, publisher, partition, position)
);
create index serval_held_key on serval_held (subscription, publisher, key, position);
create table serval_job (
  name text not null, key text not null, due_at timestamptz not null, data text not null,
  attempts integer not null default 0, leased_until timestamptz, holder text, error text,
  primary key (name, key)
);
create index serval_job_due on serval_job (due_at);
create table serval_host (host text primary key, until timestamptz not null);
`,
  },
  {
    id: 'serval-002-held-type',
    // Hosts of an earlier release say no type and time.
    sql: `
alter table serval_held add column type text, add column time timestamptz;
drop index serval_held_key;
create index serval_held_key on serval_held (key);
`,
  },
  {
    id: 'serval-003-no-outbox',
    // Hosts of the release before may run beside, and look into the table: it is dropped a release later. The lock waits for their steps that may write to it.
    sql: `
lock table serval_outbox in exclusive mode;
select from serval_head order by partition for update;
with moved as (
  delete from serval_outbox returning *
), numbered as (
  select moved.*, head.position + row_number() over (partition by moved.partition order by seq) as number
  from moved join serval_head head using (partition)
), logged as (
  insert into serval_log (partition, position, key, id, type, data, at, correlation_id)
  select partition, number, key, id, type, data, at, correlation_id from numbered
)
update serval_head head set position = last.number
from (select partition, max(number) as number from numbered group by partition) last
where head.partition = last.partition;
`,
  },
]

/** A change of a service's tables, run once. It must leave the previous release's code working: expand first, contract a release later. */
export interface Migration {
  /** Sorts in the order in which migrations run; never reused. */
  readonly id: string
  readonly sql: string
}
