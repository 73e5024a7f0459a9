import { sqlRepository, type RepositorySession } from 'serval/engines/sql'
import { amountsOf } from '../../money.ts'
import type { Charge, ChargeRepository, Statement } from '../repository.ts'

type ChargeRow = {
  readonly charge_id: string | null
  readonly amount: number | null
  readonly currency: string | null
  readonly voided: boolean
}

const chargeOf = (row: ChargeRow): Charge => ({
  chargeId: row.charge_id ?? undefined,
  amount:
    row.amount === null || row.currency === null
      ? undefined
      : { amount: row.amount, currency: row.currency },
  voided: row.voided,
})

const columns = 'charge_id, amount, currency, voided_at is not null as voided'

const find = async (session: RepositorySession, reference: string) => {
  const [row] = await session.query<ChargeRow>(
    `select ${columns} from charge where reference = $1`,
    [reference],
  )
  return row === undefined ? undefined : chargeOf(row)
}

/** The row that a conflicting insert has just seen. Rows are never deleted. */
const known = async (session: RepositorySession, reference: string): Promise<Charge> => {
  const found = await find(session, reference)
  if (found === undefined) throw new Error(`the charge ${reference} vanished`)
  return found
}

/** The ledger holds money movements as they happen, and no constraint: so that the statement is a check, not a claim. */
const enter = (
  session: RepositorySession,
  reference: string,
  kind: 'charge' | 'refund',
  money: { readonly amount: number; readonly currency: string },
  at: string,
) =>
  session.writeRows({
    text: `insert into movement (reference, kind, amount, currency, at)
     select * from unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::timestamptz[])`,
    columns: [[reference], [kind], [money.amount], [money.currency], [at]],
  })

const statement = async (session: RepositorySession): Promise<Statement> => {
  const sums = await session.query<{
    kind: string
    currency: string
    movements: number
    /** In digits: it may be beyond 2^53−1. */
    amount: string
  }>(
    `select kind, currency, count(*) as movements, sum(amount)::text as amount
     from movement group by kind, currency order by kind, currency`,
  )
  const [beyond] = await session.query<{ doubled: number }>(
    `select coalesce(sum(times - 1), 0)::bigint as doubled
     from (select count(*) as times from movement where kind = 'charge' group by reference) counted`,
  )
  const of = (kind: string) => sums.filter((row) => row.kind === kind)
  const total = (kind: string) => of(kind).reduce((sum, row) => sum + row.movements, 0)
  return {
    charges: total('charge'),
    charged: of('charge').flatMap(({ amount, currency }) => amountsOf(amount, currency)),
    refunds: total('refund'),
    doubled: beyond?.doubled ?? 0,
  }
}

export const chargesOnSql = sqlRepository<ChargeRepository>({
  migrations: [
    {
      id: 'acquirer-001-charges',
      sql: `
create table charge (
  reference text primary key,
  charge_id text, amount bigint, currency text, charged_at timestamptz,
  voided_at timestamptz,
  check (num_nulls(charge_id, amount, currency, charged_at) in (0, 4)),
  check (charge_id is not null or voided_at is not null)
);
create table movement (
  seq bigint generated always as identity primary key,
  reference text not null, kind text not null check (kind in ('charge', 'refund')),
  amount bigint not null, currency text not null, at timestamptz not null
);
create table failed_charge (reference text primary key, failures integer not null);
`,
    },
  ],
  open: (session) => ({
    find: (reference) => find(session, reference),
    add: ({ reference, chargeId, amount, at }) => {
      session.writeRows({
        text: `insert into charge (reference, charge_id, amount, currency, charged_at)
          select * from unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::timestamptz[]) on conflict do nothing`,
        columns: [[reference], [chargeId], [amount.amount], [amount.currency], [at]],
        otherwise: 'again',
      })
      enter(session, reference, 'charge', amount, at)
      return { chargeId, amount, voided: false }
    },
    charge: async ({ reference, chargeId, amount, at }) => {
      const [made] = await session.query<ChargeRow>(
        `insert into charge (reference, charge_id, amount, currency, charged_at)
         values ($1, $2, $3, $4, $5::timestamptz) on conflict do nothing returning ${columns}`,
        [reference, chargeId, amount.amount, amount.currency, at],
      )
      if (made === undefined) return known(session, reference)
      enter(session, reference, 'charge', amount, at)
      return chargeOf(made)
    },
    void: async (reference, at) => {
      const [row] = await session.query<ChargeRow>(
        `insert into charge (reference, voided_at) values ($1, $2::timestamptz)
         on conflict (reference) do update set voided_at = excluded.voided_at where charge.voided_at is null
         returning ${columns}`,
        [reference, at],
      )
      if (row === undefined) return known(session, reference)
      const voided = chargeOf(row)
      if (voided.amount !== undefined) enter(session, reference, 'refund', voided.amount, at)
      return voided
    },
    countFailure: async (reference, limit) => {
      const counted = await session.query(
        `insert into failed_charge (reference, failures) values ($1, 1)
         on conflict (reference) do update set failures = failed_charge.failures + 1
         where failed_charge.failures < $2::integer returning failures`,
        [reference, limit],
      )
      return counted.length > 0
    },
    statement: () => statement(session),
  }),
})
