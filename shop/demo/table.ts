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

/** One line, in at most 80 columns. */
export const rowText = ({ title, card, order, afterMs }: TableRow): string => {
  const sign = order.status === 'confirmed' ? '✓' : order.status === 'cancelled' ? '✗' : '…'
  const why = order.reason === undefined ? '' : `: ${order.reason}`
  const back = order.refunded === true ? ', refunded' : ''
  const seconds = `${(afterMs / 1_000).toFixed(1)} s`.padStart(6)
  const cells = [title.padEnd(18), card.padEnd(13), money(order.total).padStart(10), seconds]
  return `  ${sign} ${cells.join(' ')}  ${order.status}${why}${back}`
}

export interface Table {
  /** Shows the rows as they are now. */
  show(rows: readonly TableRow[]): void
}

/** On a terminal the table is drawn over itself; elsewhere a row is printed when its order has moved. */
export const tableOn = (stream: Pick<NodeJS.WriteStream, 'write' | 'isTTY'>): Table => {
  const shown = new Map<string, string>()
  let drawn = 0
  return {
    show: (rows) => {
      if (stream.isTTY) {
        const up = drawn === 0 ? '' : `\u001b[${drawn}A\r\u001b[0J`
        stream.write(`${up}${rows.map((row) => `${rowText(row)}\n`).join('')}`)
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
