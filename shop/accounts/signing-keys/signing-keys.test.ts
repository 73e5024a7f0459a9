import { expect, test } from 'vitest'
import {
  announced,
  firstKey,
  isDue,
  publishedKeys,
  rotation,
  signingKey,
  type SigningKey,
} from './signing-keys.ts'

const start = Date.UTC(2026, 0, 1)
const dayMs = 86_400_000
const fresh = (kid: string) => ({ kid, publicKey: 'x', sealed: new Uint8Array() })
const first = () => [firstKey([], fresh('k1'), start)]

const rotated = (keys: readonly SigningKey[], kid: string, now: number): SigningKey[] => {
  const { key, retired } = rotation(keys, fresh(kid), now)
  return [...keys.map((one) => retired.find(({ kid: id }) => id === one.kid) ?? one), key]
}

test('the first key signs at once', () => {
  expect(signingKey(first(), start)?.kid).toBe('k1')
  expect(signingKey([], start)).toBeUndefined()
})

test('a new key is published half a minute before it signs; the old one until its last token is over', () => {
  const keys = rotated(first(), 'k2', start)
  expect(signingKey(keys, start + 29_999)?.kid).toBe('k1')
  expect(signingKey(keys, start + 30_000)?.kid).toBe('k2')
  const lastToken = start + 30_000 + 600_000
  expect(publishedKeys(keys, lastToken)).toHaveLength(2)
  expect(publishedKeys(keys, lastToken + 60_000).map(({ kid }) => kid)).toEqual(['k2'])
})

test('a host whose clock is late signs with the old key for a minute more, and never with one that is soon withdrawn', () => {
  const [old] = rotated(first(), 'k2', start)
  if (old === undefined) throw new Error('no key')
  expect(signingKey([old], start + 89_999)?.kid).toBe('k1')
  expect(signingKey([old], start + 90_000)).toBeUndefined()
})

test('a rotation is due a day after the last', () => {
  expect(isDue([], start)).toBe(false)
  expect(isDue(first(), start + dayMs - 1)).toBe(false)
  expect(isDue(first(), start + dayMs)).toBe(true)
  const keys = rotated(first(), 'k2', start + dayMs)
  expect(isDue(keys, start + dayMs)).toBe(false)
  expect(isDue(keys, start + 2 * dayMs + 30_000)).toBe(true)
})

test('a rotation is under way until the new key signs', () => {
  expect(announced(first(), start)).toBeUndefined()
  const keys = rotated(first(), 'k2', start)
  expect(announced(keys, start + 29_999)?.kid).toBe('k2')
  expect(announced(keys, start + 30_000)).toBeUndefined()
})

test('rotations one upon the other leave one key that signs at each moment', () => {
  let keys = first()
  for (let at = 1; at <= 5; at += 1) keys = rotated(keys, `k${at + 1}`, start + at * 1_000)
  for (let now = start; now < start + 700_000; now += 500)
    expect(signingKey(keys, now)).toBeDefined()
  expect(signingKey(keys, start + 700_000)?.kid).toBe('k6')
  expect(publishedKeys(keys, start + 700_000).map(({ kid }) => kid)).toEqual(['k6'])
})
