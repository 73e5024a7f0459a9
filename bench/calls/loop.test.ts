import { expect, test } from 'vitest'
import { callFor, checked } from './loop.ts'
import { totalOf, type Quote } from './quotes.ts'

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

test('64 calls are under way at a time, each answer is counted and timed', async () => {
  let [under, most, answered] = [0, 0, 0]
  const quote: Quote = async (input) => {
    most = Math.max(most, ++under)
    await turn()
    under -= 1
    answered += 1
    return totalOf(input)
  }
  const round = await callFor(quote, 0.02)
  expect([most, under]).toEqual([64, 0])
  expect(round.calls).toBe(answered)
  expect(round.ms.p50).toBeGreaterThan(0)
  expect(round.ms.p99).toBeGreaterThanOrEqual(round.ms.p50)
})

test('a call that fails ends the round', async () => {
  let left = 100
  const quote: Quote = async (input) => {
    await turn()
    if (left-- === 0) throw new Error('broken')
    return totalOf(input)
  }
  await expect(callFor(quote, 20)).rejects.toThrow('broken')
})

test('a wrong answer is no answer', async () => {
  await checked('right', async (input) => totalOf(input))
  const wrong = checked('wrong', async (input) => ({ ...totalOf(input), total: 1 }))
  await expect(wrong).rejects.toThrow('wrong answered {"units":1,"total":1}')
})
