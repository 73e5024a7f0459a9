import { array, assert, constantFrom, integer, property, tuple } from 'fast-check'
import { expect, test } from 'vitest'
import { familyLifeMs, openFamily, present, repeatMs, tokenLifeMs, type Family } from './family.ts'

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
  expect(again(start + repeatMs)).toEqual({ outcome: 'reused' })
})

test('whatever is presented when, one token at most is current, and any other is a reuse', () => {
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
          back === 0
            ? 'rotated'
            : back === 1 && at >= 0 && now - rotatedAt < repeatMs
              ? 'repeated'
              : 'reused'
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
