import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compress } from './compress.ts'

const decoded = { br: brotliDecompressSync, gzip: gunzipSync }

test('what is encoded decodes to what it was, and is encoded alike each time', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('br' as const, 'gzip' as const),
      fc.uint8Array({ maxLength: 2_000 }),
      fc.constantFrom(1, 40),
      async (coding, piece, times) => {
        const bytes = new Uint8Array(piece.length * times)
        for (let at = 0; at < times; at++) bytes.set(piece, at * piece.length)
        const encoded = await compress(coding, bytes)
        expect(new Uint8Array(decoded[coding](encoded))).toEqual(bytes)
        expect(await compress(coding, bytes)).toEqual(encoded)
      },
    ),
    { numRuns: 60 },
  )
})

test('text becomes a fraction of itself, short or long', async () => {
  const word = new TextEncoder().encode('{"sku":"KIT-0001","name":"Casserole"},')
  for (const times of [100, 5_000]) {
    const bytes = new Uint8Array(word.length * times)
    for (let at = 0; at < times; at++) bytes.set(word, at * word.length)
    for (const coding of ['br', 'gzip'] as const)
      expect((await compress(coding, bytes)).length).toBeLessThan(bytes.length / 20)
  }
})
