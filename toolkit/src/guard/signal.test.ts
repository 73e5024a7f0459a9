import { expect, test } from 'vitest'
import { abortSignal, LazySignal, never, type Signal } from './index.ts'

const kinds: Readonly<Record<string, () => { signal: Signal; abort: (reason: unknown) => void }>> =
  {
    'a lazy signal': () => {
      const signal = new LazySignal()
      return { signal, abort: (reason) => signal.abort(reason) }
    },
    'an AbortSignal': () => {
      const controller = new AbortController()
      return { signal: controller.signal, abort: (reason) => controller.abort(reason) }
    },
  }

for (const [kind, make] of Object.entries(kinds)) {
  test(`${kind}: listeners of either form hear of it once, in the order in which they came, but not those that left`, () => {
    const { signal, abort } = make()
    const heard: string[] = []
    const listener = (name: string) => () =>
      void heard.push(`${name} ${String(signal.aborted)} ${String(signal.reason)}`)
    const [a, b, late, left] = [listener('a'), listener('b'), listener('late'), listener('left')]
    const object = { handleEvent: listener('object') }
    signal.addEventListener('abort', left)
    for (const one of [a, b, object, a]) signal.addEventListener('abort', one)
    signal.removeEventListener('abort', left)
    for (const one of [a, late]) signal.addEventListener('abort', one)
    expect(signal.aborted).toBe(false)
    expect(signal.reason).toBeUndefined()
    abort('why')
    abort('again')
    expect(heard).toEqual(['a', 'b', 'object', 'late'].map((name) => `${name} true why`))
  })

  test(`${kind}: its AbortSignal is one, whenever it is asked for`, () => {
    const { signal, abort } = make()
    const early = abortSignal(signal)
    expect(early).toBeInstanceOf(AbortSignal)
    expect(early.aborted).toBe(false)
    let heard = 0
    early.addEventListener('abort', () => (heard += 1))
    const reason = new Error('why')
    abort(reason)
    expect(abortSignal(signal)).toBe(early)
    expect([early.aborted, early.reason, heard]).toEqual([true, reason, 1])
  })
}

test('an AbortSignal that is asked for when it is over says so', () => {
  const signal = new LazySignal()
  const reason = new Error('why')
  signal.abort(reason)
  expect(abortSignal(signal).aborted).toBe(true)
  expect(abortSignal(signal).reason).toBe(reason)
})

test('what never aborts is an AbortSignal too, the same for all', () => {
  never.addEventListener('abort', () => expect.unreachable())
  if (never instanceof LazySignal) never.abort('why')
  expect(never.aborted).toBe(false)
  expect(abortSignal(never)).toBe(abortSignal(never))
  expect(abortSignal(never).aborted).toBe(false)
})
