import { sqlRepository, type RepositorySession } from 'serval/engines/sql'
import { amountsOf } from '../../money.ts'
import type { Payment } from '../payment.ts'
import type { PaymentRepository, Sum } from '../repository.ts'

// The columns of each status are held together by the table's checks.
type PaymentRow =
  | {
      readonly status: 'captured'
      readonly reference: string
      readonly amount: number
      readonly currency: string
    }
  | { readonly status: 'declined' }
  | { readonly status: 'refunded'; readonly refunded: boolean }

const paymentOf = (row: PaymentRow): Payment => {
  switch (row.status) {
    case 'captured': {
      const { reference, amount, currency } = row
      return { status: 'captured', reference, amount: { amount, currency } }
    }
    case 'declined':
      return { status: 'declined' }
    case 'refunded':
      return { status: 'refunded', refunded: row.refunded }
  }
}

const find = async (session: RepositorySession, orderId: string) => {
  const [row] = await session.query<PaymentRow>(
    'select status, reference, amount, currency, refunded from payment where order_id = $1',
    [orderId],
  )
  return row === undefined ? undefined : paymentOf(row)
}

/** The payment after a write that leaves one in any case. */
const written = async (session: RepositorySession, orderId: string): Promise<Payment> => {
  const payment = await find(session, orderId)
  if (payment === undefined) throw new Error(`the payment of ${orderId} was not written`)
  return payment
}

type SumRow = {
  readonly status: 'captured' | 'refunded'
  readonly currency: string | null
  readonly payments: number
  /** In digits: it may be beyond 2^53−1. */
  readonly amount: string | null
}

const sumOf = (rows: readonly SumRow[]): Sum => ({
  payments: rows.reduce((sum, row) => sum + row.payments, 0),
  amounts: rows.flatMap(({ amount, currency }) =>
    amount === null || currency === null ? [] : amountsOf(amount, currency),
  ),
})

export const paymentsOnSql = sqlRepository<PaymentRepository>({
  migrations: [
    {
      id: 'payments-001-payments',
      sql: `
create table payment (
  order_id text primary key,
  status text not null check (status in ('captured', 'declined', 'refunded')),
  reference text, amount bigint, currency text,
  refunded boolean not null default false,
  at timestamptz not null,
  check (status <> 'captured' or num_nulls(reference, amount, currency) = 0),
  check (num_nulls(amount, currency) in (0, 2)),
  check (status = 'refunded' or not refunded)
);
`,
    },
  ],
  open: (session) => ({
    find: (orderId) => find(session, orderId),
    add: (orderId, outcome, at) => {
      session.touch(orderId)
      const charge = outcome.status === 'captured' ? outcome : undefined
      session.writeRows({
        text: `insert into payment (order_id, status, reference, amount, currency, at)
          select * from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::timestamptz[])
          on conflict do nothing`,
        columns: [
          [orderId],
          [outcome.status],
          [charge?.reference ?? null],
          [charge?.amount.amount ?? null],
          [charge?.amount.currency ?? null],
          [at],
        ],
        otherwise: 'again',
      })
    },
    record: (orderId, outcome, at) => {
      session.touch(orderId)
      const charge = outcome.status === 'captured' ? outcome : undefined
      session.write(
        `insert into payment (order_id, status, reference, amount, currency, at)
         values ($1, $2, $3, $4, $5, $6::timestamptz)
         on conflict (order_id) do update set status = excluded.status, reference = excluded.reference,
           amount = excluded.amount, currency = excluded.currency, at = excluded.at
         where payment.status = 'declined' and excluded.status = 'captured'`,
        [
          orderId,
          outcome.status,
          charge?.reference ?? null,
          charge?.amount.amount ?? null,
          charge?.amount.currency ?? null,
          at,
        ],
      )
      return written(session, orderId)
    },
    refund: async (orderId, { refunded, amount }, at) => {
      session.touch(orderId)
      session.write(
        `insert into payment (order_id, status, refunded, amount, currency, at)
         values ($1, 'refunded', $2, $3, $4, $5::timestamptz)
         on conflict (order_id) do update set status = 'refunded', refunded = excluded.refunded,
           amount = coalesce(payment.amount, excluded.amount),
           currency = coalesce(payment.currency, excluded.currency), at = excluded.at
         where payment.status <> 'refunded' or (excluded.refunded and not payment.refunded)`,
        [orderId, refunded, amount?.amount ?? null, amount?.currency ?? null, at],
      )
      const payment = await written(session, orderId)
      return payment.status === 'refunded' && payment.refunded
    },
    sums: async () => {
      const rows = await session.query<SumRow>(
        `select status, currency, count(*) as payments, sum(amount)::text as amount from payment
         where status = 'captured' or refunded group by status, currency order by currency`,
      )
      return {
        captured: sumOf(rows.filter((row) => row.status === 'captured')),
        refunded: sumOf(rows.filter((row) => row.status === 'refunded')),
      }
    },
  }),
})
