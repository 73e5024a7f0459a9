import { expect, test } from 'vitest'
import { clientPool } from './pool.ts'

const refuse = () => Promise.reject(new Error('nobody asks it'))
const nobody = { series: refuse, run: refuse, simple: refuse }

const setting = (size: number) => {
  const made: { lost: boolean }[] = []
  const pool = clientPool(size, () => {
    const client = { ...nobody, lost: false, end: () => Promise.resolve() }
    made.push(client)
    return client
  })
  return { pool, made }
}

test('who comes while a client is busy gets it when it is free; there is one more only for those who wait', async () => {
  const { pool, made } = setting(3)
  const first = await pool.take()
  const second = pool.take()
  pool.give(first)
  expect(await second).toBe(first)
  expect(made).toHaveLength(1)
  const others = await Promise.all([pool.take(), pool.take()])
  expect(new Set([first, ...others]).size).toBe(3)
  const late = pool.take()
  expect(made).toHaveLength(3)
  pool.give(first)
  expect(await late).toBe(first)
  expect(made).toHaveLength(3)
})

test('a client that is lost is replaced for who waits', async () => {
  const { pool, made } = setting(1)
  const first = await pool.take()
  const waiting = pool.take()
  for (const one of made) one.lost = true
  pool.give(first)
  expect(await waiting).not.toBe(first)
  expect(made).toHaveLength(2)
})
