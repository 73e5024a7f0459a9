import type { z } from 'zod'
import type { Money } from '../money.ts'
import type { Order } from '../orders/contract.ts'

export type ShownOrder = Pick<
  z.output<typeof Order>,
  'id' | 'status' | 'reason' | 'refunded' | 'total'
>

/** An order in the table: what is tried with it, and how far it is. */
export interface TableRow {
  readonly title: string
  readonly card: string
  readonly order: ShownOrder
  /** From the reply to the last change. */
  readonly afterMs: number
}

export const money = ({ amount, currency }: Money): string =>
  (amount / 100).toLocaleString('en-GB', { style: 'currency', currency })

export const isFinal = ({ status }: Pick<ShownOrder, 'status'>): boolean =>
  status === 'confirmed' || status === 'cancelled'

/** One line, in less than 80 columns. */
export const rowText = ({ title, card, order, afterMs }: TableRow): string => {
  const sign = order.status === 'confirmed' ? '✓' : order.status === 'cancelled' ? '✗' : '…'
  const seconds = `${(afterMs / 1_000).toFixed(1)} s`
  const cells = [title.padEnd(14), card.padEnd(12), money(order.total).padStart(9)]
  return `  ${sign} ${cells.join(' ')} ${seconds.padStart(5)} ${endText(order)}`
}

const endText = ({ status, reason, refunded }: ShownOrder): string => {
  // This reason says that it is cancelled.
  const words = reason === 'cancelled-by-customer' ? reason : `${status}: ${reason}`
  const back = refunded === true ? ', refunded' : ''
  return reason === undefined ? status : `${status === 'cancelling' ? status : words}${back}`
}

export type TableStream = Pick<NodeJS.WriteStream, 'write' | 'isTTY'> & {
  /** Of a terminal. */
  readonly columns?: number
}

export interface Table {
  /** Shows the rows as they are now. */
  show(rows: readonly TableRow[]): void
}

/** On a terminal the table is drawn over itself; elsewhere a row is printed when its order has moved. */
export const tableOn = (stream: TableStream): Table => {
  const shown = new Map<string, string>()
  let drawn = 0
  return {
    show: (rows) => {
      if (stream.isTTY) {
        const up = drawn === 0 ? '' : `\u001b[${drawn}A\r\u001b[0J`
        // A line that wraps would be two to go up. Some terminals say that they have 0 columns.
        const width = (stream.columns || 80) - 1
        const lines = rows.map((row) => `${rowText(row).slice(0, width)}\n`)
        stream.write(`${up}${lines.join('')}`)
        drawn = rows.length
        return
      }
      for (const row of rows) {
        const { id, status } = row.order
        if (shown.get(id) !== status) stream.write(`${rowText(row)}\n`)
        shown.set(id, status)
      }
    },
  }
}
