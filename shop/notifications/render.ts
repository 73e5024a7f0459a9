import type { z } from 'zod'
import type { Money } from '../money.ts'
import type { Reason } from '../orders/contract.ts'
import type { kinds } from './contract.ts'

/** What a mail is about. */
export type Occasion =
  | { readonly kind: 'order-confirmed'; readonly orderId: string; readonly total: Money }
  | {
      readonly kind: 'order-cancelled'
      readonly orderId: string
      readonly total: Money
      readonly reason: z.output<typeof Reason>
      readonly refunded: boolean
    }

export type Kind = (typeof kinds)[number]

export interface Rendered {
  readonly subject: string
  readonly text: string
}

/** One for each currency: to make one takes longer than to write the rest of the mail. */
const formats = new Map<string, Intl.NumberFormat>()
const formatOf = (currency: string): Intl.NumberFormat => {
  const format =
    formats.get(currency) ?? new Intl.NumberFormat('en-GB', { style: 'currency', currency })
  formats.set(currency, format)
  return format
}

/** `£1,299.99`: minor units become a decimal text, so that no digit of a large amount is lost. */
export const moneyText = ({ amount, currency }: Money): string => {
  const format = formatOf(currency)
  const digits = format.resolvedOptions().maximumFractionDigits ?? 0
  const text = String(amount).padStart(digits + 1, '0')
  const decimal = digits === 0 ? text : `${text.slice(0, -digits)}.${text.slice(-digits)}`
  // Digits and a point: the type system cannot see that.
  return format.format(decimal as Intl.StringNumericLiteral)
}

const reasonTexts: Readonly<Record<z.output<typeof Reason>, string>> = {
  'out-of-stock': 'We are sorry: we do not have enough of what you ordered in stock.',
  'payment-declined': 'Your card was declined, so we could not take the payment.',
  'payment-timeout': 'We could not take the payment in time.',
  'cancelled-by-customer': 'You asked us to cancel it.',
}

const paragraphs = (...rest: readonly string[]): string =>
  `${['Hello,', ...rest, 'Kind regards,\nThe shop'].join('\n\n')}\n`

/**
 * The mail's words, in plain British English. No name is in it, nor anything else that a customer typed: whoever opens an
 * account under a stranger's address, and places orders, would choose what the shop writes to that stranger.
 */
export const render = (occasion: Occasion): Rendered => {
  const { orderId } = occasion
  const total = moneyText(occasion.total)
  if (occasion.kind === 'order-confirmed')
    return {
      subject: `Your order ${orderId} is confirmed`,
      text: paragraphs(
        `Thank you for your order. It is confirmed, and we are getting it ready.`,
        `Order: ${orderId}\nTotal: ${total}`,
      ),
    }
  return {
    subject: `Your order ${orderId} was cancelled`,
    text: paragraphs(
      `Your order was cancelled. ${reasonTexts[occasion.reason]}`,
      `Order: ${orderId}\nTotal: ${total}`,
      occasion.refunded
        ? `We have refunded ${total}. Your bank may take a few days to show it.`
        : 'You have not been charged.',
    ),
  }
}
