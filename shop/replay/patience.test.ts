import { failure, ServalError, systemEnv, type FailureCode } from 'serval'
import { expect, test } from 'vitest'
import { isTransient, patience } from './patience.ts'

const setUp = (forMs: number) => {
  let now = 0
  const env = { ...systemEnv(), now: () => now, sleep: async (ms: number) => void (now += ms) }
  const retried: string[] = []
  const patiently = patience({ env, forMs, onRetry: (code) => void retried.push(code) })
  return { patiently, retried, now: () => now }
}

const failing = (...codes: FailureCode[]) => {
  let tries = 0
  return async () => {
    const code = codes[tries++]
    if (code !== undefined) throw failure(code)
    return tries
  }
}

test('a call is tried again while the shop is away, and the failures are told', async () => {
  const { patiently, retried } = setUp(60_000)
  const call = failing('unavailable', 'overloaded', 'deadline-exceeded', 'conflict')
  expect(await patiently(call)).toBe(5)
  expect(retried).toEqual(['unavailable', 'overloaded', 'deadline-exceeded', 'conflict'])
})

test('what will not change by waiting is thrown at once', async () => {
  const { patiently, retried } = setUp(60_000)
  await expect(patiently(failing('invalid-input'))).rejects.toMatchObject({ code: 'invalid-input' })
  await expect(patiently(() => Promise.reject(new TypeError('ours')))).rejects.toThrow('ours')
  expect(retried).toEqual([])
})

test('patience ends', async () => {
  const { patiently, now } = setUp(10_000)
  const always = () => Promise.reject(failure('unavailable'))
  await expect(patiently(always)).rejects.toMatchObject({ code: 'unavailable' })
  expect(now()).toBeGreaterThanOrEqual(10_000)
  expect(now()).toBeLessThan(14_000)
})

test('a limit of rate is transient, a conflict that a service declares is not', () => {
  const entry = { title: '', retryable: true, ran: 'ran' } as const
  expect(isTransient(new ServalError('too-many', { ...entry, kind: 'limited' }, ''))).toBe(true)
  expect(isTransient(new ServalError('email-taken', { ...entry, kind: 'conflict' }, ''))).toBe(
    false,
  )
})
