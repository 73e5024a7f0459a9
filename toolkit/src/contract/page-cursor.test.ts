import fc from 'fast-check'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { pageCursor } from './page-cursor.ts'

const place = z.strictObject({ at: z.int().min(0), id: z.string().regex(/^[!-~]{1,64}$/) })
const cursor = pageCursor(place)
const refused = expect.objectContaining({
  code: 'invalid-input',
  data: { errors: [{ pointer: '/cursor', message: expect.any(String) as string }] },
}) as Error
const places = fc.record({ at: fc.nat(), id: fc.stringMatching(/^[!-~]{1,64}$/) })

test('a cursor comes back as it was, and needs no escapes in a URL', () => {
  fc.assert(
    fc.property(places, (at) => {
      const text = cursor.encode(at)
      expect(text).toMatch(/^[\w-]{1,200}$/)
      expect(cursor.decode(text)).toEqual(at)
    }),
  )
})

test('a cursor that no list answered with is refused', () => {
  const forged = [
    '',
    '!',
    'päivä',
    'e30',
    btoa('null'),
    btoa('[1,"a"]'),
    btoa('{"at":1}'),
    btoa('{"at":1.5,"id":"a"}'),
    btoa('{"at":1,"id":""}'),
  ]
  for (const text of [
    ...forged,
    `${cursor.encode({ at: 1, id: 'a' })}=`,
    btoa('{"at": 1, "id": "a"}'),
  ])
    expect(() => cursor.decode(text)).toThrow(refused)
  const short = pageCursor(z.strictObject({ id: z.string().max(9) }))
  expect(() => short.decode(btoa('{"id":{"length":{"toString":1}}}').replaceAll('=', ''))).toThrow(
    refused,
  )
  fc.assert(
    fc.property(places, fc.nat(), fc.string({ minLength: 1, maxLength: 1 }), (at, index, char) => {
      const text = cursor.encode(at)
      const where = index % text.length
      const tampered = text.slice(0, where) + char + text.slice(where + 1)
      try {
        expect(cursor.encode(cursor.decode(tampered))).toBe(tampered)
      } catch (error) {
        expect(error).toEqual(refused)
      }
    }),
  )
})
