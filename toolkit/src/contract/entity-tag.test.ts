import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { entityTag, namesTag, requireMatch } from './entity-tag.ts'

const Thing = z.object({ a: z.string(), b: z.int().default(0) })
const tagOf = (value: unknown) => entityTag(new TextEncoder().encode(JSON.stringify(value)))

test('a tag is the same for the same bytes, and another for others', () => {
  expect(tagOf({ a: 'x', b: 0 })).toMatch(/^"[\w-]{22}"$/)
  expect(tagOf({ a: 'x', b: 0 })).toBe(tagOf({ a: 'x', b: 0 }))
  expect(tagOf({ a: 'x', b: 0 })).not.toBe(tagOf({ a: 'x', b: 1 }))
})

test('a tag is half of the SHA-256 (FIPS 180-4’s of "abc"), as it has always been', () => {
  expect(entityTag('abc')).toBe('"ungWv48Bz-pBQUDeXa4iIw"')
  for (let n = 0; n < 200; n++) {
    const digest = createHash('sha256').update(`ü${n}`).digest()
    expect(entityTag(`ü${n}`)).toBe(`"${digest.subarray(0, 16).toString('base64url')}"`)
  }
})

test('a match is of the representation, whatever order or defaults the value has', () => {
  const seen = tagOf({ a: 'x', b: 0 })
  requireMatch(undefined, Thing, { a: 'y' })
  requireMatch('*', Thing, { a: 'y' })
  requireMatch(seen, Thing, { a: 'x' })
  requireMatch(`"other", ${seen}`, Thing, { b: 0, a: 'x' })
  for (const wrong of ['', '"other"', `W/${seen}`, seen.slice(1, -1), `${seen}x`]) {
    expect(() => requireMatch(wrong, Thing, { a: 'x' }), wrong).toThrow(
      expect.objectContaining({ code: 'precondition-failed' }),
    )
  }
})

test('If-None-Match compares weakly, If-Match strongly', () => {
  expect(namesTag('W/"a"', '"a"', 'weak')).toBe(true)
  expect(namesTag('W/"a"', '"a"', 'strong')).toBe(false)
})
