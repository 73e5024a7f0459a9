import { expect, test } from 'vitest'
import { z } from 'zod'
import { entityTag, namesTag, requireMatch } from './entity-tag.ts'

const Thing = z.object({ a: z.string(), b: z.int().default(0) })
const tagOf = (value: unknown) => entityTag(new TextEncoder().encode(JSON.stringify(value)))

test('a tag is the same for the same bytes, and another for others', async () => {
  expect(await tagOf({ a: 'x', b: 0 })).toMatch(/^"[\w-]{22}"$/)
  expect(await tagOf({ a: 'x', b: 0 })).toBe(await tagOf({ a: 'x', b: 0 }))
  expect(await tagOf({ a: 'x', b: 0 })).not.toBe(await tagOf({ a: 'x', b: 1 }))
})

test('a match is of the representation, whatever order or defaults the value has', async () => {
  const seen = await tagOf({ a: 'x', b: 0 })
  await requireMatch(undefined, Thing, { a: 'y' })
  await requireMatch('*', Thing, { a: 'y' })
  await requireMatch(seen, Thing, { a: 'x' })
  await requireMatch(`"other", ${seen}`, Thing, { b: 0, a: 'x' })
  for (const wrong of ['', '"other"', `W/${seen}`, seen.slice(1, -1), `${seen}x`]) {
    const error = await requireMatch(wrong, Thing, { a: 'x' }).catch((thrown: unknown) => thrown)
    expect(error, wrong).toMatchObject({ code: 'precondition-failed' })
  }
})

test('If-None-Match compares weakly, If-Match strongly', () => {
  expect(namesTag('W/"a"', '"a"', 'weak')).toBe(true)
  expect(namesTag('W/"a"', '"a"', 'strong')).toBe(false)
})
