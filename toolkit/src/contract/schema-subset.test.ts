import fc, { type GeneratorValue } from 'fast-check'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { jsonSchema } from './json-schema.ts'
import { misfits, type Direction } from './schema-subset.ts'
import { validInput } from './validate.ts'

/** A small grammar of schemas: enough to have each rule of the comparison at work, nested in each other. */
type Shape =
  | { readonly is: 'text' | 'int'; readonly least: number; readonly most: number }
  | { readonly is: 'list'; readonly least: number; readonly most: number; readonly of: Shape }
  | { readonly is: 'values'; readonly values: readonly string[] }
  | { readonly is: 'bool' }
  | { readonly is: 'nullable' | 'map'; readonly of: Shape }
  | { readonly is: 'object'; readonly fields: Fields }
  | { readonly is: 'tagged'; readonly kinds: Readonly<Record<string, Fields>> }
type Fields = Readonly<Record<string, { readonly shape: Shape; readonly optional: boolean }>>

const zodOf = (shape: Shape): z.ZodType => {
  const object = (fields: Fields) =>
    z.object(
      Object.fromEntries(
        Object.entries(fields).map(([name, field]) => {
          const schema = zodOf(field.shape)
          return [name, field.optional ? schema.optional() : schema]
        }),
      ),
    )
  switch (shape.is) {
    case 'text':
      return z.string().min(shape.least).max(shape.most)
    case 'int':
      return z.int().min(shape.least).max(shape.most)
    case 'list':
      return z.array(zodOf(shape.of)).min(shape.least).max(shape.most)
    case 'values':
      return z.enum(shape.values)
    case 'bool':
      return z.boolean()
    case 'nullable':
      return zodOf(shape.of).nullable()
    case 'map':
      return z.record(z.string(), zodOf(shape.of))
    case 'object':
      return object(shape.fields)
    case 'tagged': {
      const kinds = Object.entries(shape.kinds).map(([kind, fields]) =>
        object(fields).extend({ kind: z.literal(kind) }),
      )
      const [first, ...more] = kinds
      return first === undefined ? z.never() : z.discriminatedUnion('kind', [first, ...more])
    }
  }
}

const names = ['a', 'b', 'c', 'd', 'e']

/** Draws shapes, changed shapes and values from fast-check, so that a failure shrinks and can be replayed. */
const maker = (draw: GeneratorValue) => {
  const below = (count: number) => draw(fc.nat, count - 1)
  const oneOf = <T>(...makes: (() => T)[]): T => makes[below(makes.length)]!()
  const some = (of: readonly string[]) => draw(fc.subarray, [...of], { minLength: 1 })
  const bounds = () => {
    const least = below(4)
    return { least, most: least + below(4) }
  }
  const fields = (depth: number): Fields =>
    Object.fromEntries(
      some(names).map((name) => [name, { shape: shape(depth - 1), optional: draw(fc.boolean) }]),
    )
  const kinds = (depth: number) =>
    Object.fromEntries(some(['x', 'y', 'z']).map((kind) => [kind, fields(depth)]))
  const leaf = (): Shape =>
    oneOf<Shape>(
      () => ({ is: 'text', ...bounds() }),
      () => ({ is: 'int', ...bounds() }),
      () => ({ is: 'values', values: some(names) }),
      () => ({ is: 'bool' }),
    )
  const shape = (depth: number): Shape =>
    depth <= 0
      ? leaf()
      : oneOf<Shape>(
          leaf,
          () => ({ is: 'nullable', of: shape(depth - 1) }),
          () => ({ is: 'list', of: shape(depth - 1), ...bounds() }),
          () => ({ is: 'map', of: shape(depth - 1) }),
          () => ({ is: 'object', fields: fields(depth) }),
          () => ({ is: 'tagged', kinds: kinds(depth) }),
        )
  const value = (of: Shape): unknown => {
    const record = (from: Fields) =>
      Object.fromEntries(
        Object.entries(from)
          .filter(([, field]) => !field.optional || draw(fc.boolean))
          .map(([name, field]) => [name, value(field.shape)]),
      )
    const count = ({ least, most }: { least: number; most: number }) =>
      least + below(most - least + 1)
    switch (of.is) {
      case 'text':
        return 'm'.repeat(count(of))
      case 'int':
        return count(of)
      case 'list':
        return Array.from({ length: count(of) }, () => value(of.of))
      case 'values':
        return of.values[below(of.values.length)]
      case 'bool':
        return draw(fc.boolean)
      case 'nullable':
        return draw(fc.boolean) ? null : value(of.of)
      case 'map':
        return Object.fromEntries(some(names).map((name) => [name, value(of.of)]))
      case 'object':
        return record(of.fields)
      case 'tagged': {
        const [kind, of_] = Object.entries(of.kinds)[below(Object.keys(of.kinds).length)]!
        return { ...record(of_), kind }
      }
    }
  }
  return { below, oneOf, some, shape, value, leaf }
}
type Maker = ReturnType<typeof maker>

/** A change of one node, and what becomes of its parts. */
interface Change {
  readonly bounds: (bounds: { least: number; most: number }) => { least: number; most: number }
  readonly values: (values: readonly string[]) => readonly string[]
  readonly fields: (fields: Fields) => Fields
  readonly kinds: (kinds: Readonly<Record<string, Fields>>) => Readonly<Record<string, Fields>>
  readonly whole: (shape: Shape) => Shape
}

const changed = (shape: Shape, change: Change): Shape => {
  const inner = (of: Shape) => changed(of, change)
  const eachField = (fields: Fields): Fields =>
    change.fields(
      Object.fromEntries(
        Object.entries(fields).map(([name, field]) => [
          name,
          { ...field, shape: inner(field.shape) },
        ]),
      ),
    )
  const part = (): Shape => {
    switch (shape.is) {
      case 'text':
      case 'int':
        return { ...shape, ...change.bounds(shape) }
      case 'list':
        return { ...shape, ...change.bounds(shape), of: inner(shape.of) }
      case 'values':
        return { ...shape, values: change.values(shape.values) }
      case 'bool':
        return shape
      case 'nullable':
      case 'map':
        return { ...shape, of: inner(shape.of) }
      case 'object':
        return { ...shape, fields: eachField(shape.fields) }
      case 'tagged':
        return {
          ...shape,
          kinds: change.kinds(
            Object.fromEntries(
              Object.entries(shape.kinds).map(([kind, fields]) => [kind, eachField(fields)]),
            ),
          ),
        }
    }
  }
  return change.whole(part())
}

/** What a new server may do to its inputs. */
const wider = (m: Maker): Change => ({
  bounds: ({ least, most }) => ({
    least: Math.max(0, least - m.below(3)),
    most: most + m.below(3),
  }),
  values: (values) => [...new Set([...values, ...m.some(names)])],
  fields: (fields) => ({
    ...(m.below(2) === 0 ? { added: { shape: m.leaf(), optional: true } } : {}),
    ...Object.fromEntries(
      Object.entries(fields).map(([name, { shape, optional }]) => [
        name,
        { shape, optional: optional || m.below(2) === 0 },
      ]),
    ),
  }),
  kinds: (kinds) => (m.below(2) === 0 ? { ...kinds, more: {} } : kinds),
  whole: (shape) =>
    m.below(3) === 0 && shape.is !== 'nullable' ? { is: 'nullable', of: shape } : shape,
})

/** What a new server may do to its outputs. */
const narrower = (m: Maker): Change => ({
  bounds: ({ least, most }) => {
    const from = least + m.below(most - least + 1)
    return { least: from, most: from + m.below(most - from + 1) }
  },
  values: (values) => m.some(values),
  fields: (fields) => ({
    ...(m.below(2) === 0 ? { added: { shape: m.leaf(), optional: m.below(2) === 0 } } : {}),
    ...Object.fromEntries(
      Object.entries(fields).map(([name, { shape, optional }]) => [
        name,
        { shape, optional: optional && m.below(2) === 0 },
      ]),
    ),
  }),
  kinds: (kinds) =>
    Object.fromEntries(m.some(Object.keys(kinds)).map((kind) => [kind, kinds[kind]!])),
  whole: (shape) => (m.below(3) === 0 && shape.is === 'nullable' ? shape.of : shape),
})

/** Anything at all, seldom enough that some changes are harmless. */
const arbitrary = (m: Maker): Change => {
  const either = <T>(one: (change: Change) => T): T =>
    one(m.below(2) === 0 ? wider(m) : narrower(m))
  const rarely = <T>(value: T, change: () => T): T => (m.below(6) === 0 ? change() : value)
  return {
    bounds: (bounds) => rarely(bounds, () => either((change) => change.bounds(bounds))),
    values: (values) => rarely(values, () => either((change) => change.values(values))),
    fields: (fields) =>
      rarely(fields, () =>
        m.oneOf(
          () => either((change) => change.fields(fields)),
          () => Object.fromEntries(Object.entries(fields).slice(1)),
          () => ({ ...fields, added: { shape: m.leaf(), optional: false } }),
        ),
      ),
    kinds: (kinds) => rarely(kinds, () => either((change) => change.kinds(kinds))),
    whole: (shape) =>
      rarely(shape, () =>
        m.oneOf(
          () => either((change) => change.whole(shape)),
          () => m.shape(1),
        ),
      ),
  }
}

const found = (was: Shape, is: Shape, direction: Direction) => {
  const io = direction === 'input' ? 'input' : 'output'
  const [before, now] = [jsonSchema(zodOf(was), io), jsonSchema(zodOf(is), io)]
  return direction === 'output' ? misfits(now, before, 'output') : misfits(before, now, direction)
}

const runs = { numRuns: 400 }

test('an input may become wider: nothing is reported, and what old callers send is taken', () => {
  fc.assert(
    fc.property(fc.gen(), (draw) => {
      const m = maker(draw)
      const was = m.shape(3)
      const is = changed(was, wider(m))
      expect(found(was, is, 'input')).toEqual([])
      const sent = m.value(was)
      expect(validInput(zodOf(is), sent, true)).toEqual(sent)
    }),
    runs,
  )
})

test('an output may become narrower, and have more fields: old readers understand it', () => {
  fc.assert(
    fc.property(fc.gen(), (draw) => {
      const m = maker(draw)
      const was = m.shape(3)
      const is = changed(was, narrower(m))
      expect(found(was, is, 'output')).toEqual([])
      expect(zodOf(was).safeParse(m.value(is)).success).toBe(true)
    }),
    runs,
  )
})

for (const direction of ['input', 'output', 'stored'] as const)
  test(`a change of which nothing is reported breaks nobody (${direction})`, () => {
    let harmless = 0
    let reported = 0
    fc.assert(
      fc.property(fc.gen(), (draw) => {
        const m = maker(draw)
        const was = m.shape(3)
        const is = changed(was, arbitrary(m))
        if (found(was, is, direction).length > 0) return void reported++
        harmless++
        const [writer, reader] = direction === 'output' ? [is, was] : [was, is]
        validInput(zodOf(reader), m.value(writer), direction === 'input')
      }),
      { numRuns: 1_000 },
    )
    // Otherwise this would say nothing.
    expect(harmless).toBeGreaterThan(100)
    expect(reported).toBeGreaterThan(100)
  })

test('a schema fits itself, however it is built', () => {
  interface Tree {
    readonly name: string
    readonly parts?: readonly Tree[] | undefined
  }
  const Tree: z.ZodType<Tree> = z.object({
    name: z.string(),
    get parts() {
      return z.array(Tree).optional()
    },
  })
  const schemas = [
    Tree,
    z.object({ at: z.iso.datetime(), mail: z.email().optional(), id: z.uuid() }),
    z.tuple([z.string(), z.int()], z.boolean()),
    z.intersection(z.object({ a: z.string() }), z.object({ b: z.number().multipleOf(3).gt(0) })),
    z.record(z.string().regex(/^a/), z.unknown()),
    z.looseRecord(z.string().regex(/^a/), z.int()),
    z.partialRecord(z.enum(['a', 'b']), z.int()),
    z.string().startsWith('a').endsWith('b'),
    z.union([z.string(), z.array(z.string()), z.literal([1, null])]),
    z.undefined(),
  ]
  for (const schema of schemas)
    for (const io of ['input', 'output'] as const)
      for (const direction of ['input', 'output', 'stored'] as const)
        expect(misfits(jsonSchema(schema, io), jsonSchema(schema, io), direction)).toEqual([])
})

test('the inside of a schema that contains itself is compared', () => {
  const tree = (leaf: z.ZodType) => {
    const Tree = z.object({
      leaf,
      get parts(): z.ZodType {
        return z.array(Tree)
      },
    })
    return jsonSchema(Tree, 'input')
  }
  expect(misfits(tree(z.string()), tree(z.string()), 'input')).toEqual([])
  const [found] = misfits(tree(z.string()), tree(z.int()), 'input')
  expect(found).toMatchObject({ path: '/leaf', rule: 'type' })
})

test.each([
  ['a pattern', z.string(), z.string().regex(/^a/), 'pattern'],
  ['another pattern', z.string().regex(/^b/), z.string().regex(/^a/), 'pattern'],
  ['a second pattern', z.string().regex(/^a/), z.string().regex(/^a/).regex(/b$/), 'pattern'],
  ['a format', z.string(), z.url(), 'pattern'],
  ['steps', z.number().multipleOf(2), z.number().multipleOf(3), 'range'],
  ['an excluded bound', z.number().min(0), z.number().gt(0), 'range'],
  ['whole numbers', z.number(), z.int(), 'type'],
  ['a longer list', z.array(z.int()).max(9), z.array(z.int()).max(8), 'length'],
  ['values that do not fit the text', z.enum(['ab', 'abc']), z.string().max(2), 'values'],
  ['a text for values', z.string(), z.enum(['a']), 'values'],
  ['names of a map', z.record(z.string(), z.int()), z.record(z.string().max(3), z.int()), 'length'],
  ['anything', z.unknown(), z.string(), 'type'],
  ['a default', z.int().default(1), z.int().default(2), 'default'],
  ['an item of a tuple', z.tuple([z.int(), z.int()]), z.tuple([z.int(), z.string()]), 'type'],
])('%s is a reason', (_, was, is, rule) => {
  const found = misfits(jsonSchema(was, 'input'), jsonSchema(is, 'input'), 'input')
  expect(found.map((one) => one.rule)).toEqual([rule])
})

test.each([
  ['values of a text', z.enum(['a', 'b']), z.string().max(1)],
  ['steps of steps', z.number().multipleOf(6), z.number().multipleOf(3)],
  ['whole numbers for numbers', z.int().min(1), z.number().gt(0)],
  ['one of many', z.string(), z.union([z.int(), z.string().nullable()])],
  ['fewer patterns', z.string().regex(/a/).regex(/b/), z.string().regex(/b/)],
  ['anything', z.string(), z.unknown()],
  ['an object for a map', z.object({ a: z.int() }), z.record(z.string(), z.number())],
])('%s fits', (_, was, is) => {
  expect(misfits(jsonSchema(was, 'input'), jsonSchema(is, 'input'), 'input')).toEqual([])
})
