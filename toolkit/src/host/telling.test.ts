import { expect, test } from 'vitest'
import { telling } from './telling.ts'

test('a host that fails is waited for once, and again when it has answered', async () => {
  const [good, hung] = [{ name: 'good' }, { name: 'hung' }]
  const told: string[] = []
  const waiting: ((fails: boolean) => void)[] = []
  const tell = telling((host: { name: string }, what: string) => {
    told.push(`${host.name} ${what}`)
    if (host === good) return Promise.resolve()
    return new Promise<void>((resolve, reject) =>
      waiting.push((fails) => (fails ? reject(new Error('no answer')) : resolve())),
    )
  })
  let over = 0
  const tellBoth = (what: string) => tell([good, hung], what).then(() => (over += 1))
  const settle = async (fails: boolean) => {
    waiting.shift()?.(fails)
    await new Promise((resolve) => setTimeout(resolve, 0))
  }
  const first = tellBoth('1')
  await Promise.resolve()
  expect(over).toBe(0)
  await settle(true)
  await first
  await tellBoth('2')
  await tellBoth('3')
  await settle(true)
  await settle(false)
  const fourth = tellBoth('4')
  await Promise.resolve()
  expect(over).toBe(3)
  await settle(false)
  await fourth
  expect(told).toEqual(['1', '2', '3', '4'].flatMap((what) => [`good ${what}`, `hung ${what}`]))
})
