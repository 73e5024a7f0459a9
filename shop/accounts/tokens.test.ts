import { array, assert, constantFrom, integer, property, tuple } from 'fast-check'
import { expect, test } from 'vitest'
import { normalizeEmail } from './email.ts'
import { nextGeneration, publishedKeys, signingKey, type SigningKey } from './signing-keys.ts'
import { familyLifeMs, openFamily, present, repeatMs, tokenLifeMs, type Family } from './tokens.ts'

const start = Date.UTC(2026, 0, 1)
const opened = (): Family =>
  openFamily({ id: 's', userId: 'u', locator: 'l', current: 't0' }, start)
const successor = (hash: string) => ({ hash, answer: new TextEncoder().encode(hash) })
const rotated = (family: Family, to: string, now: number): Family => {
  const presented = present(family, family.current, successor(to), now)
  if (presented.outcome !== 'rotated') throw new Error(presented.outcome)
  return presented.family
}

test('the current token is traded for its successor, which lives thirty days from then', () => {
  const family = rotated(opened(), 't1', start + 1_000)
  expect(family).toMatchObject({ current: 't1', previous: 't0', startedAt: start })
  expect(family.expiresAt).toBe(start + 1_000 + tokenLifeMs)
})

test('a family ends after ninety days, however active', () => {
  let family = opened()
  for (let day = 20; day < 90; day += 20)
    family = rotated(family, `t${day}`, start + day * 86_400_000)
  expect(family.expiresAt).toBe(start + familyLifeMs)
  expect(present(family, family.current, successor('x'), start + familyLifeMs).outcome).toBe(
    'refused',
  )
})

test('the previous token repeats its answer until ten seconds are over', () => {
  const family = rotated(opened(), 't1', start)
  const answer = successor('t1').answer
  const again = (now: number) => present(family, 't0', successor('x'), now)
  expect(again(start + repeatMs - 1)).toEqual({ outcome: 'repeated', answer })
  expect(again(start + repeatMs)).toMatchObject({
    outcome: 'revoked',
    family: { revokedAt: start + repeatMs, answer: undefined },
  })
})

test('a revoked family refuses every token', () => {
  const revoked = { ...rotated(opened(), 't1', start), revokedAt: start }
  for (const token of ['t0', 't1', 'other'])
    expect(present(revoked, token, successor('x'), start).outcome).toBe('refused')
})

test('whatever is presented when, one token at most is current, and a reuse ends all', () => {
  const moves = array(tuple(constantFrom(0, 1, 2, 3), integer({ min: 0, max: 15_000 })))
  assert(
    property(moves, (sequence) => {
      const tokens = ['t0']
      let family = opened()
      let now = start
      let rotatedAt = start
      for (const [back, wait] of sequence) {
        now += wait
        const at = tokens.length - 1 - back
        const result = present(family, tokens[at] ?? 'other', successor(`t${tokens.length}`), now)
        const expected =
          family.revokedAt !== undefined
            ? 'refused'
            : back === 0
              ? 'rotated'
              : back === 1 && at >= 0 && now - rotatedAt < repeatMs
                ? 'repeated'
                : 'revoked'
        if (result.outcome !== expected) return false
        if (result.outcome === 'rotated') {
          tokens.push(`t${tokens.length}`)
          rotatedAt = now
        }
        if (
          result.outcome === 'repeated' &&
          new TextDecoder().decode(result.answer) !== tokens.at(-1)
        )
          return false
        if ('family' in result) family = result.family
      }
      return true
    }),
  )
})

test('addresses are compared without blanks around them and without case', () => {
  expect(normalizeEmail(' Ada@Example.ORG\t')).toBe('ada@example.org')
})

const key = (generation: number, more: Partial<SigningKey> = {}): SigningKey => ({
  generation,
  kid: `k${generation}`,
  publicKey: 'x',
  sealed: new Uint8Array(),
  signsFrom: start,
  publishedUntil: undefined,
  ...more,
})

test('the newest key signs once its time has come; the older stays published', () => {
  const keys = [
    key(1, { publishedUntil: start + 3_600_000 }),
    key(2, { signsFrom: start + 60_000 }),
  ]
  expect(signingKey(keys, start)?.kid).toBe('k1')
  expect(signingKey(keys, start + 60_000)?.kid).toBe('k2')
  expect(publishedKeys(keys, start + 60_000)).toHaveLength(2)
  expect(publishedKeys(keys, start + 3_600_000).map(({ kid }) => kid)).toEqual(['k2'])
  expect(nextGeneration(keys)).toBe(3)
})

test('a key that is withdrawn before its tokens would end signs no more', () => {
  const keys = [key(1, { publishedUntil: start + 599_000 })]
  expect(signingKey(keys, start)).toBeUndefined()
  expect(nextGeneration([])).toBe(1)
})
