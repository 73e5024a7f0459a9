import fc from 'fast-check'
import { expect, test } from 'vitest'
import { frame, frameReader } from './frames.ts'

const value = fc.anything({
  values: [
    fc.string({ unit: 'grapheme' }),
    fc.integer(),
    fc.constantFrom(Number.NaN, Infinity, -Infinity, 1e300),
    fc.boolean(),
    fc.constant(null),
    fc.uint8Array(),
  ],
  key: fc.oneof(fc.string(), fc.constantFrom('$bytes', '$number', '$', '$$bytes')),
  maxDepth: 4,
})

test('messages come out as they went in, however they are cut', () => {
  fc.assert(
    fc.property(fc.array(value, { minLength: 1 }), fc.infiniteStream(fc.nat(40)), (all, cuts) => {
      const bytes = Buffer.concat(all.map((one) => frame({ one }) ?? Buffer.alloc(0)))
      const seen: unknown[] = []
      const read = frameReader((message) => seen.push(message))
      for (let at = 0; at < bytes.length;) {
        const end = at + 1 + (cuts.next().value ?? 0)
        read(bytes.subarray(at, end))
        at = end
      }
      expect(seen).toEqual(all.map((one) => ({ one })))
    }),
  )
})

test('what is larger than 64 MiB is neither sent nor read', () => {
  expect(frame({ text: 'x'.repeat(64 * 1024 * 1024) })).toBeUndefined()
  const length = Buffer.alloc(4)
  length.writeUInt32BE(64 * 1024 * 1024 + 1)
  expect(() => frameReader(() => undefined)(length)).toThrow(/67108865 bytes/)
})
