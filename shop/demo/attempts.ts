import type { ShownOrder } from './table.ts'

/** An order that the demo places, and how it must end. */
export interface Attempt {
  readonly title: string
  readonly card: string
  readonly lines: 'some' | 'more-than-there-is'
  /** The customer thinks better of it as soon as it is placed. */
  readonly cancels?: boolean
  readonly ends: Pick<ShownOrder, 'status' | 'reason'>
}

export const attempts: readonly Attempt[] = [
  { title: 'good card', card: 'tok_ok', lines: 'some', ends: { status: 'confirmed' } },
  {
    title: 'declined card',
    card: 'tok_declined',
    lines: 'some',
    ends: { status: 'cancelled', reason: 'payment-declined' },
  },
  { title: 'slow bank', card: 'tok_slow', lines: 'some', ends: { status: 'confirmed' } },
  { title: 'flaky bank', card: 'tok_flaky', lines: 'some', ends: { status: 'confirmed' } },
  {
    title: 'too many',
    card: 'tok_ok',
    lines: 'more-than-there-is',
    ends: { status: 'cancelled', reason: 'out-of-stock' },
  },
  {
    title: 'change of mind',
    // The bank takes its time, so that there is some left to cancel in.
    card: 'tok_slow',
    lines: 'some',
    cancels: true,
    ends: { status: 'cancelled', reason: 'cancelled-by-customer' },
  },
]
