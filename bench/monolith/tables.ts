import type { Database } from './database.ts'

/** The shop in one database. */
const tables = `
create table users (
  id text primary key, email text not null unique, name text not null,
  roles text[] not null, password_hash text not null
);
create table sessions (
  id text primary key, user_id text not null references users, refresh_hash bytea not null unique,
  expires_at timestamptz not null
);
create table products (
  sku text collate "C" primary key, name text not null, description text not null,
  amount bigint not null check (amount >= 0), currency text not null, category text not null,
  attributes jsonb not null
);
create table stock (
  sku text collate "C" primary key, on_hand bigint not null check (on_hand >= 0)
) with (fillfactor = 50);
create table orders (
  id text primary key, customer_id text not null, status text not null, reason text,
  lines jsonb not null, amount bigint not null, currency text not null,
  payment_token text, placed_at timestamptz not null
) with (fillfactor = 70);
create index orders_customer on orders (customer_id, id desc);
create table replies (
  customer_id text not null, key text not null, input_hash bytea not null, body text not null,
  expires_at timestamptz not null, primary key (customer_id, key)
);
create table outbox (
  seq bigint generated always as identity primary key, kind text not null, order_id text not null
);
create table payments (
  order_id text primary key, reference text not null, amount bigint not null, currency text not null,
  captured_at timestamptz not null
);
create table notifications (
  id text primary key, user_id text not null, order_id text not null, kind text not null,
  subject text not null, sent_at timestamptz not null
);
create index notifications_user on notifications (user_id, sent_at desc);
create table sales (
  minute timestamptz not null, currency text not null, orders bigint not null,
  units bigint not null, revenue bigint not null, primary key (minute, currency)
);
create table product_sales (
  day date not null, sku text not null, units bigint not null, primary key (day, sku)
) with (fillfactor = 50);
`

export const createTables = async (database: Database): Promise<void> => {
  for (const text of tables.split(';\n')) if (text.trim() !== '') await database.query(text)
}
