import { expect, test } from 'vitest'
import { manualEnv } from '../testing/index.ts'
import { revocable } from './revocation.ts'

const tokenLifeMs = 605_000

const start = async (options: { lately?: readonly string[] } = {}) => {
  const env = manualEnv()
  const state = { lately: options.lately ?? [], loads: 0, fails: 0 }
  let end: (session: string) => void = () => undefined
  let gap: () => void = () => undefined
  const check = await revocable(
    async (token) =>
      token === 'bad' ? undefined : { kind: 'user', id: 'u', roles: [], session: token },
    {
      env,
      tokenLifeMs,
      follow: async (ended, missed) => {
        end = ended
        gap = missed
      },
      load: async () => {
        state.loads += 1
        if (state.fails-- > 0) throw new Error('away')
        return state.lately
      },
    },
  )
  return { env, state, check, end: (session: string) => end(session), gap: () => gap() }
}

test('a session that ends is refused from then on, others are not', async () => {
  const { check, end } = await start()
  expect(await check('a')).toMatchObject({ session: 'a' })
  end('a')
  expect(await check('a')).toBeUndefined()
  expect(await check('b')).toMatchObject({ session: 'b' })
  expect(await check('bad')).toBeUndefined()
})

test('what ended lately is refused from the first request on', async () => {
  const { check, state } = await start({ lately: ['a'] })
  expect(state.loads).toBe(1)
  expect(await check('a')).toBeUndefined()
})

test('an ended session is forgotten when none of its tokens can be valid any more', async () => {
  const { env, check, end } = await start()
  end('a')
  await env.advance(tokenLifeMs)
  expect(await check('a')).toBeUndefined()
  end('b')
  // The authenticator below refuses such an old token by its own times.
  expect(await check('a')).toMatchObject({ session: 'a' })
  expect(await check('b')).toBeUndefined()
})

test('after a gap it loads again, until it succeeds', async () => {
  const { env, check, state, gap } = await start()
  state.lately = ['a']
  state.fails = 2
  gap()
  await env.advance(0)
  expect(await check('a')).toMatchObject({ session: 'a' })
  await env.advance(1_000)
  expect(state.loads).toBe(4)
  expect(await check('a')).toBeUndefined()
})
