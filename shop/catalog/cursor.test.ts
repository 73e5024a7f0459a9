import fc from 'fast-check'
import { expect, test } from 'vitest'
import { catalog } from './contract.ts'
import { cursorAfter, skuBefore } from './cursor.ts'

const sku = fc.stringMatching(/^[\x21-\x7e]([\x20-\x7e]{0,62}[\x21-\x7e])?$/)
const refused = expect.objectContaining({
  code: 'invalid-input',
  data: { errors: [{ pointer: '/cursor', message: expect.any(String) }] },
})

test('a cursor goes on after its SKU, fits into the query and needs no escapes in a URL', () => {
  fc.assert(
    fc.property(sku, (given) => {
      const cursor = cursorAfter(given)
      expect(cursor).toMatch(/^[\w-]+$/)
      expect(skuBefore(cursor)).toBe(given)
      expect(catalog.operations.products.input.safeParse({ cursor }).success).toBe(true)
    }),
  )
  expect(cursorAfter('\\'.repeat(64)).length).toBeLessThanOrEqual(200)
})

test('a cursor that no list answered with is refused', () => {
  const forged = [
    '',
    '!',
    'e30',
    btoa('null'),
    btoa('{"after":1}'),
    btoa('{"after":""}'),
    btoa('{"after":"a","b":1}'),
  ]
  for (const cursor of [...forged, `${cursorAfter('a')}=`, btoa('{"after": "ab"}')])
    expect(() => skuBefore(cursor)).toThrow(refused)
  fc.assert(
    fc.property(sku, fc.nat(), fc.string({ minLength: 1, maxLength: 1 }), (given, at, char) => {
      const cursor = cursorAfter(given)
      const index = at % cursor.length
      const tampered = cursor.slice(0, index) + char + cursor.slice(index + 1)
      try {
        expect(cursorAfter(skuBefore(tampered))).toBe(tampered)
      } catch (error) {
        expect(error).toEqual(refused)
      }
    }),
  )
})
