import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { mergePatch, type Json } from './merge-patch.ts'

const parsed = (text: string) => JSON.parse(text) as Json
const isObject = (value: unknown): value is Readonly<Record<string, Json>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const member = (value: Readonly<Record<string, Json>>, name: string) =>
  Object.hasOwn(value, name) ? value[name] : undefined

/** The patch that makes one value of the other, for values without null in objects. */
const difference = (from: Json, to: Json): Json => {
  if (!isObject(from) || !isObject(to)) return to
  const gone = Object.keys(from).filter((name) => !Object.hasOwn(to, name))
  const changed = Object.entries(to)
    .filter(([name, value]) => JSON.stringify(member(from, name)) !== JSON.stringify(value))
    .map(([name, value]) => {
      const before = member(from, name)
      return [name, before === undefined ? value : difference(before, value)] as const
    })
  return Object.fromEntries([...gone.map((name) => [name, null] as const), ...changed])
}

const name = fc.oneof(fc.constantFrom('a', 'b', 'c', '__proto__', 'constructor', ''), fc.string())
const jsonOf = (leaf: fc.Arbitrary<Json>): fc.Arbitrary<Json> =>
  fc.letrec<{ json: Json; object: Json }>((tie) => ({
    json: fc.oneof({ maxDepth: 4 }, leaf, fc.array(tie('json'), { maxLength: 3 }), tie('object')),
    object: fc.array(fc.tuple(name, tie('json')), { maxLength: 5 }).map(Object.fromEntries<Json>),
  })).json
const plain = jsonOf(fc.oneof(fc.string(), fc.integer(), fc.boolean()))
const any = jsonOf(fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null)))

const nullMembers = (value: Json): boolean =>
  Array.isArray(value)
    ? false
    : isObject(value) && Object.values(value).some((one) => one === null || nullMembers(one))

describe('a merge patch', () => {
  // RFC 7396, appendix A: all of it.
  test.each([
    ['{"a":"b"}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'],
    ['{"a":"b"}', '{"a":null}', '{}'],
    ['{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'],
    ['{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'],
    ['{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'],
    ['{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'],
    ['["a","b"]', '["c","d"]', '["c","d"]'],
    ['{"a":"b"}', '["c"]', '["c"]'],
    ['{"a":"foo"}', 'null', 'null'],
    ['{"a":"foo"}', '"bar"', '"bar"'],
    ['{"e":null}', '{"a":1}', '{"e":null,"a":1}'],
    ['[1,2]', '{"a":"b","c":null}', '{"a":"b"}'],
    ['{}', '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'],
  ])('of %s by %s is %s', (target, patch, result) => {
    expect(mergePatch(parsed(target), parsed(patch))).toEqual(parsed(result))
  })

  test('takes a member that is undefined for one that is not there', () => {
    expect(mergePatch({ a: 1 }, { a: undefined, b: 2 })).toEqual({ a: 1, b: 2 })
  })

  test('knows no members but those of the values themselves', () => {
    const patch = parsed('{"__proto__":{"polluted":1},"constructor":{"prototype":null}}')
    const merged = mergePatch({}, patch)
    expect(JSON.stringify(merged)).toBe('{"__proto__":{"polluted":1},"constructor":{}}')
    expect(({} as Readonly<Record<string, unknown>>)['polluted']).toBeUndefined()
    expect(Object.getPrototypeOf(merged)).toBe(Object.prototype)
  })

  test('can make any value of any other', () => {
    fc.assert(
      fc.property(plain, plain, (from, to) => {
        expect(JSON.stringify(sorted(mergePatch(from, difference(from, to))))).toBe(
          JSON.stringify(sorted(to)),
        )
      }),
      { numRuns: 500 },
    )
  })

  test('has the same effect a second time, and leaves both values as they were', () => {
    fc.assert(
      fc.property(any, any, (target, patch) => {
        const before = JSON.stringify([target, patch])
        const once = mergePatch(target, patch)
        expect(mergePatch(once, patch)).toEqual(once)
        expect(JSON.stringify([target, patch])).toBe(before)
      }),
      { numRuns: 500 },
    )
  })

  test('of nothing holds no null in an object', () => {
    fc.assert(
      fc.property(any, (patch) => {
        const made = mergePatch(undefined, { patch })
        expect(nullMembers(made)).toBe(false)
      }),
    )
  })
})

/** Members by name, so that texts can be compared: toEqual overlooks a member called __proto__. */
function sorted(value: Json): Json {
  if (Array.isArray(value)) return value.map(sorted)
  if (!isObject(value)) return value
  const members = Object.entries(value).map(([key, one]) => [key, sorted(one)] as const)
  return Object.fromEntries(members.toSorted(([a], [b]) => (a < b ? -1 : 1)))
}
