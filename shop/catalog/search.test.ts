import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { folded, gramsOf, searchText, searchWords } from './search.ts'

const finds = (q: string, name: string) => {
  const text = searchText({ name, description: '', category: '' })
  return searchWords(q).every((word) => text.includes(word))
}

describe('search', () => {
  test.each([
    ['cafe', 'Corner Café Cafetière'],
    ['CAFÉ', 'corner cafe'],
    ['cafe\u0301', 'Caf\u00e9'],
    ['strasse', 'Große Straße'],
    ['STRAẞE', 'strasse'],
    ['οδοσ', 'ΟΔΟΣ'],
    ['οδος', 'ΟΔΟΣ'],
    ['istanbul', 'İstanbul'],
    ['file', 'ﬁle'],
    ['tea', 'ｔｅａ'],
    ['2', 'x²'],
    ['cooperate', 'co\u00adoperate'],
    ['red cup', 'Cup,\u00a0red'],
    ['  ', 'anything'],
  ])('for %j finds %j', (q, name) => {
    expect(finds(q, name)).toBe(true)
  })

  test.each([
    ['red cup', 'red'],
    ['a', 'b'],
    ['가', '각'],
  ])('for %j does not find %j', (q, name) => {
    expect(finds(q, name)).toBe(false)
  })

  test('finds a text by itself and by any of its words in either case', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 40 })
    fc.assert(
      fc.property(text, text, (one, other) => {
        const name = `${one} ${other}`
        expect(finds(name, name)).toBe(true)
        expect(finds(other, name)).toBe(true)
        expect(finds(other.toLowerCase(), other.toUpperCase())).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  test('folds what is folded to itself', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(folded(folded(text))).toBe(folded(text))
      }),
      { numRuns: 500 },
    )
  })
})

describe('the parts of words', () => {
  test.each([
    [['lamp'], ['lam', 'amp']],
    [
      ['é', 'ab'],
      ['é', 'ab'],
    ],
    [['aaaa', 'aaa'], ['aaa']],
    [['𝔘𝔘𝔘𝔘'], ['𝔘𝔘𝔘']],
    [[], []],
  ])('of %j are %j', (words, grams) => {
    expect(gramsOf(words)).toEqual(grams)
  })

  test('are in every text that holds the words', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 30 })
    fc.assert(
      fc.property(text, text, text, (before, q, after) => {
        const words = searchWords(q)
        const found = searchText({
          name: `${before}${words.join(after)}${after}`,
          description: q,
          category: '',
        })
        if (!words.every((word) => found.includes(word))) return
        for (const gram of gramsOf(words)) {
          expect(found.includes(gram)).toBe(true)
          expect(Array.from(gram).length).toBeLessThanOrEqual(3)
        }
      }),
    )
  })
})
