import { check, integer, property, string, stringMatching } from 'fast-check'
import { ServalError } from 'serval'
import { expect, test } from 'vitest'
import { cursorText, parseCursor } from './cursor.ts'

test('a cursor comes back as it was, and fits a URL', () => {
  const place = property(
    integer({ min: 0, max: 253_402_300_799_999 }),
    stringMatching(/^[!-~]{1,64}$/),
    (at, id) => {
      const text = cursorText({ at, id })
      expect(text).toMatch(/^[\w-]{1,200}$/)
      expect(parseCursor(text)).toEqual({ at, id })
    },
  )
  expect(check(place).failed).toBe(false)
})

const base64url = (text: string) => btoa(text).replaceAll('=', '')

test('a cursor that is not ours is invalid input, by its pointer', () => {
  const data = { errors: [{ pointer: '/cursor', message: expect.any(String) as string }] }
  for (const cursor of [
    '',
    'a',
    '!!!',
    'päivä',
    base64url('null'),
    base64url('{}'),
    base64url('[1,"a"]'),
    base64url('{"at":1}'),
    base64url('{"at":1.5,"id":"a"}'),
    base64url('{"at":-1,"id":"a"}'),
    base64url('{"at":9007199254740991,"id":"a"}'),
    base64url('{"at":1,"id":""}'),
    base64url('{"at":1,"id":"a\\u0000"}'),
    base64url('{"at":1,"id":7}'),
  ])
    expect(() => parseCursor(cursor)).toThrow(
      expect.objectContaining({ code: 'invalid-input', data }),
    )
})

test('no text makes parsing fail in another way', () => {
  const any = property(string(), (text) => {
    try {
      parseCursor(text)
    } catch (error) {
      expect(error).toBeInstanceOf(ServalError)
    }
  })
  expect(check(any).failed).toBe(false)
})
