import { expect, test } from 'vitest'
import { bulkhead, compose, type Guarded, type Interceptor } from './index.ts'

const call: Guarded = {
  target: 'a.b',
  deadline: 0,
  signal: new AbortController().signal,
  repeatable: true,
}

test('interceptors run in list order, the first outermost, each with what the one before passed on', async () => {
  const seen: string[] = []
  const named =
    (name: string): Interceptor<string, string> =>
    async (given, next) => {
      seen.push(`${name} gets ${given}`)
      const reply = await next(`${given}${name}`)
      seen.push(`${name} hears ${reply}`)
      return `${reply}${name}`
    }
  const run = compose([named('a'), named('b')], (given) => Promise.resolve(`<${given}>`))
  expect(await run('')).toBe('<ab>ba')
  expect(seen).toEqual(['a gets ', 'b gets a', 'b hears <ab>', 'a hears <ab>b'])
  expect(await compose<string, string>([], (given) => Promise.resolve(given))('x')).toBe('x')
})

test('an interceptor may answer itself, or go on twice', async () => {
  let sent = 0
  const twice: Interceptor<string, number> = async (given, next) =>
    (await next(given)) + (await next(given))
  expect(await compose([twice], () => Promise.resolve((sent += 1)))('')).toBe(3)
  await compose([() => Promise.resolve(0), twice], () => Promise.resolve((sent += 1)))('')
  expect(sent).toBe(2)
})

test('a bulkhead refuses the call beyond its limit at once, and frees a place when a call ends in any way', async () => {
  const ends: ((error?: Error) => void)[] = []
  const run = compose<Guarded, string>(
    [bulkhead(2)],
    () =>
      new Promise((resolve, reject) =>
        ends.push((error) => (error === undefined ? resolve('x') : reject(error))),
      ),
  )
  const first = run(call)
  const second = run(call)
  await expect(run(call)).rejects.toMatchObject({
    code: 'overloaded',
    ran: 'not-sent',
    message: 'a.b: 2 calls are under way already',
  })
  expect(ends).toHaveLength(2)
  ends[0]?.()
  expect(await first).toBe('x')
  const third = run(call)
  ends[1]?.(new Error('away'))
  await expect(second).rejects.toThrow('away')
  const fourth = run(call)
  await expect(run(call)).rejects.toMatchObject({ code: 'overloaded' })
  ends[2]?.()
  ends[3]?.()
  await Promise.all([third, fourth])
})

test('a bulkhead’s place is free again after a call that throws at once', async () => {
  const run = compose<Guarded, string>([bulkhead(1)], () => {
    throw new Error('at once')
  })
  for (let nth = 0; nth < 3; nth++) await expect(run(call)).rejects.toThrow('at once')
})
