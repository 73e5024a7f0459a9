import type { Product } from './contract.ts'

/** Combining marks, and characters that show nothing (soft hyphen, joiners). */
const unseen = /[\p{M}\p{DI}]/gu

/**
 * Full case folding (Unicode, section 5.18), which JavaScript lacks: upper case spells out ß, and
 * sigma is one letter.
 */
const caseFolded = (text: string): string =>
  text.toLowerCase().toUpperCase().toLowerCase().replaceAll('ς', 'σ')

/**
 * A text as search compares it: compatibility forms unified, case folded and combining marks
 * dropped, so that `cafe` finds `Café` and `strasse` finds `Straße`. Composed again at the end, so
 * that a Hangul syllable does not match another one that begins with it.
 */
export const folded = (text: string): string =>
  caseFolded(text.normalize('NFKC')).normalize('NFKD').replaceAll(unseen, '').normalize('NFKC')

/** Where the words of a search must occur. No word reaches over a line break, hence two fields. */
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

/** Longer parts tell more, and there are more of them to keep. */
const longestGram = 3

/**
 * Parts that a search text holds if it holds all the words: each word's runs of three characters, or
 * the word itself if it is shorter. An index of such parts finds what may match.
 */
export const gramsOf = (words: readonly string[]): readonly string[] => {
  const grams = words.flatMap((word) => {
    const characters = Array.from(word)
    const size = Math.min(longestGram, characters.length)
    const starts = characters.slice(0, characters.length - size + 1)
    return starts.map((_, at) => characters.slice(at, at + size).join(''))
  })
  return [...new Set(grams)]
}
