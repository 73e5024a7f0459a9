/*
 * Test cards. A token decides how the built-in acquirer behaves, so that every way a real one behaves can be tried.
 */

export type Behaviour =
  | { readonly kind: 'charges' }
  | { readonly kind: 'declines' }
  /** Answers, but late. */
  | { readonly kind: 'slow'; readonly ms: number }
  /** Is down for the first `failures` charges of a reference. */
  | { readonly kind: 'flaky'; readonly failures: number }
  /** Never answers. */
  | { readonly kind: 'hangs' }

const behaviours = new Map<string, Behaviour>([
  ['tok_ok', { kind: 'charges' }],
  ['tok_declined', { kind: 'declines' }],
  ['tok_slow', { kind: 'slow', ms: 3_000 }],
  ['tok_flaky', { kind: 'flaky', failures: 2 }],
  ['tok_hang', { kind: 'hangs' }],
])

/** What a token does; a token that nobody issued is declined. */
export const behaviourOf = (token: string): Behaviour =>
  behaviours.get(token) ?? { kind: 'declines' }
