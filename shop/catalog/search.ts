import type { Product } from './contract.ts'

/** Combining marks, and characters that show nothing (soft hyphen, joiners). */
const unseen = /[\p{M}\p{DI}]/gu

const unmarked = (text: string): string => text.normalize('NFKD').replaceAll(unseen, '')

/**
 * A text as search compares it: compatibility forms unified, combining marks dropped and case folded, so that `cafe`
 * finds `Café` and `strasse` finds `Straße`. JavaScript has no full case folding (Unicode, section 5.18): upper case
 * and then lower case gives it, but for the final sigma. Composed again at the end, so that a Hangul syllable
 * does not match another one that begins with it.
 */
export const folded = (text: string): string =>
  unmarked(unmarked(text).toUpperCase().toLowerCase().replaceAll('ς', 'σ')).normalize('NFKC')

/** What the words of a search are looked for in. No word reaches over a line break, hence over two fields. */
export const searchText = (product: Pick<Product, 'name' | 'description' | 'category'>): string =>
  [product.name, product.description, product.category].map(folded).join('\n')

/** The words of a search, each once. */
export const searchWords = (q: string): readonly string[] => [
  ...new Set(
    folded(q)
      .split(/\s+/u)
      .filter((word) => word !== ''),
  ),
]
