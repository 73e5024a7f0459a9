import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Lru } from './lru.ts'

/** The same, the slow way. */
class Model {
  entries: { key: string; value: number; bytes: number }[] = []
  left: string[] = []
  readonly maxEntries: number
  readonly maxBytes: number
  constructor(maxEntries: number, maxBytes: number) {
    this.maxEntries = maxEntries
    this.maxBytes = maxBytes
  }
  get bytes() {
    return this.entries.reduce((sum, { bytes }) => sum + bytes, 0)
  }
  get(key: string) {
    const found = this.entries.find((entry) => entry.key === key)
    if (found !== undefined)
      this.entries = [...this.entries.filter((entry) => entry !== found), found]
    return found?.value
  }
  delete(key: string) {
    if (this.entries.some((entry) => entry.key === key)) this.left.push(key)
    this.entries = this.entries.filter((entry) => entry.key !== key)
  }
  set(key: string, value: number, bytes: number) {
    this.delete(key)
    if (bytes > this.maxBytes) return false
    this.entries.push({ key, value, bytes })
    while (this.entries.length > this.maxEntries || this.bytes > this.maxBytes)
      this.delete(this.entries[0]?.key ?? '')
    return true
  }
}

test('keeps within its bounds what was used last', () => {
  const key = fc.constantFrom('a', 'b', 'c', 'd', 'e')
  const step = fc.oneof(
    fc.record({ do: fc.constant('get' as const), key }),
    fc.record({ do: fc.constant('delete' as const), key }),
    fc.record({ do: fc.constant('set' as const), key, value: fc.nat(), bytes: fc.nat(12) }),
    fc.record({ do: fc.constant('clear' as const) }),
  )
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4 }), fc.array(step, { maxLength: 60 }), (max, steps) => {
      const model = new Model(max, 10)
      const left: string[] = []
      const lru = new Lru<number>({ maxEntries: max, maxBytes: 10, left: (key) => left.push(key) })
      for (const one of steps) {
        if (one.do === 'get') expect(lru.get(one.key)).toBe(model.get(one.key))
        if (one.do === 'delete') {
          lru.delete(one.key)
          model.delete(one.key)
        }
        if (one.do === 'set')
          expect(lru.set(one.key, one.value, one.bytes)).toBe(
            model.set(one.key, one.value, one.bytes),
          )
        if (one.do === 'clear') {
          lru.clear()
          for (const { key } of model.entries) model.delete(key)
        }
        expect([lru.size, lru.bytes, left]).toEqual([model.entries.length, model.bytes, model.left])
      }
    }),
  )
})

test('without room for one it keeps none', () => {
  const lru = new Lru<number>({ maxEntries: 0, maxBytes: 10 })
  expect([lru.set('a', 1, 1), lru.get('a')]).toEqual([false, undefined])
})
