import type { JsonSchema } from './json-schema.ts'

/**
 * One of the ways in which a value can fit a schema: anything, one exact value, a type with its bounds, or `opaque`: a
 * schema with keywords that are not understood here, which equals only itself.
 */
export type Branch =
  | { readonly kind: 'any' | 'opaque'; readonly schema: JsonSchema }
  | { readonly kind: 'value'; readonly schema: JsonSchema; readonly value: unknown }
  | {
      readonly kind: 'string' | 'number' | 'integer' | 'object' | 'array'
      readonly schema: JsonSchema
    }

/** Words about a schema, which say nothing about its values. */
const annotations = new Set([
  ...['$schema', '$id', '$defs', '$comment', 'id', 'title', 'description', 'examples', 'default'],
  ...['deprecated', 'readOnly', 'writeOnly', 'contentEncoding', 'contentMediaType'],
])
const understood: Readonly<Record<string, readonly string[]>> = {
  string: ['minLength', 'maxLength', 'pattern', 'format', 'allOf'],
  number: ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'],
  integer: ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'],
  object: ['properties', 'required', 'additionalProperties', 'propertyNames'],
  array: ['items', 'prefixItems', 'minItems', 'maxItems', 'uniqueItems'],
}

const keywordsOf = (schema: JsonSchema): string[] =>
  Object.keys(schema).filter((keyword) => !annotations.has(keyword))

/** Values at the end of `#/a/b`, a JSON Pointer (RFC 6901) into the whole schema. */
const resolve = (pointer: string, root: JsonSchema): JsonSchema => {
  const parts = pointer.replace(/^#\/?/, '').split('/').filter(Boolean)
  const found = parts.reduce<unknown>(
    (inside, part) => asSchema(inside)[part.replaceAll('~1', '/').replaceAll('~0', '~')],
    root,
  )
  return asSchema(found)
}

/** A schema may also be `true` (anything) or `false` (nothing). */
export const asSchema = (schema: unknown): JsonSchema =>
  typeof schema === 'object' && schema !== null
    ? // An object's members can be read by any name.
      (schema as JsonSchema)
    : schema === false
      ? { not: {} }
      : {}

const isNothing = (schema: JsonSchema): boolean =>
  schema['not'] !== undefined && keywordsOf(asSchema(schema['not'])).length === 0

/** Patterns beside each other are written as an `allOf` of patterns. */
const isOpaque = (schema: JsonSchema, type: string): boolean =>
  keywordsOf(schema).some(
    (keyword) => keyword !== 'type' && !understood[type]?.includes(keyword),
  ) ||
  list(schema['allOf']).some((part) => keywordsOf(part).some((keyword) => keyword !== 'pattern'))

export const list = (value: unknown): readonly JsonSchema[] =>
  Array.isArray(value) ? value.map(asSchema) : []

/** Takes a schema apart. `root` is what its references point into. */
export const branchesOf = (schema: JsonSchema, root: JsonSchema): readonly Branch[] => {
  const keywords = keywordsOf(schema)
  if (keywords.length === 0) return [{ kind: 'any', schema }]
  if (isNothing(schema)) return []
  const reference = schema['$ref']
  if (typeof reference === 'string') return branchesOf(resolve(reference, root), root)
  const union = [...list(schema['anyOf']), ...list(schema['oneOf'])]
  if (union.length > 0)
    return keywords.length === 1
      ? union.flatMap((one) => branchesOf(one, root))
      : [{ kind: 'opaque', schema }]
  const values = 'const' in schema ? [schema['const']] : schema['enum']
  if (Array.isArray(values)) return values.map((value) => ({ kind: 'value', schema, value }))
  const types = [schema['type']].flat().map(String)
  return types.flatMap((type): readonly Branch[] => {
    if (type === 'null') return [{ kind: 'value', schema, value: null }]
    if (type === 'boolean') return [true, false].map((value) => ({ kind: 'value', schema, value }))
    // Of several types, a bound binds one.
    const bounds = Object.entries(schema).filter(([keyword]) => understood[type]?.includes(keyword))
    const own = types.length === 1 ? schema : { type, ...Object.fromEntries(bounds) }
    if (type !== 'string' && type !== 'number' && type !== 'integer')
      if (type !== 'object' && type !== 'array') return [{ kind: 'opaque', schema }]
    return [{ kind: isOpaque(own, type) ? 'opaque' : type, schema: own }]
  })
}

/** What a text must look like, as a set: each pattern and format. */
export const formsOf = (schema: JsonSchema): ReadonlySet<string> =>
  new Set(
    [schema, ...list(schema['allOf'])].flatMap((one) =>
      ['pattern', 'format'].flatMap((keyword) => {
        const form = one[keyword]
        return typeof form === 'string' ? [`${keyword} ${form}`] : []
      }),
    ),
  )

export interface Range {
  readonly from: number
  readonly above: number
  readonly to: number
  readonly below: number
  readonly step: number | undefined
}

const number = (value: unknown): number | undefined =>
  typeof value === 'number' ? value : undefined

/** The bounds of numbers; zod writes those of the safe integers to each whole number. */
export const rangeOf = (schema: JsonSchema): Range => ({
  from: number(schema['minimum']) ?? -Infinity,
  above: number(schema['exclusiveMinimum']) ?? -Infinity,
  to: number(schema['maximum']) ?? Infinity,
  below: number(schema['exclusiveMaximum']) ?? Infinity,
  step: number(schema['multipleOf']),
})

/** The bounds of a text's or a list's length. */
export const lengthOf = (
  schema: JsonSchema,
): { readonly least: number; readonly most: number } => ({
  least: number(schema['minLength']) ?? number(schema['minItems']) ?? 0,
  most: number(schema['maxLength']) ?? number(schema['maxItems']) ?? Infinity,
})

const isMultiple = (value: number, step: number): boolean => {
  const times = value / step
  return Math.abs(times - Math.round(times)) < 1e-9
}

const fitsForms = (text: string, schema: JsonSchema): boolean =>
  [schema, ...list(schema['allOf'])].every((one) => {
    const pattern = one['pattern']
    // A format without a pattern cannot be tried here, so it counts as not met.
    if (typeof pattern !== 'string') return one['format'] === undefined
    try {
      return new RegExp(pattern).test(text)
    } catch {
      return false
    }
  })

/** Whether a branch takes this exact text, number, truth value or null. */
export const accepts = (branch: Branch, value: unknown): boolean => {
  if (branch.kind === 'any') return true
  if (branch.kind === 'value') return branch.value === value
  if (typeof value === 'string') {
    const { least, most } = lengthOf(branch.schema)
    return (
      branch.kind === 'string' &&
      value.length >= least &&
      value.length <= most &&
      fitsForms(value, branch.schema)
    )
  }
  if (typeof value !== 'number') return false
  if (branch.kind !== 'number' && !(branch.kind === 'integer' && Number.isInteger(value)))
    return false
  const { from, above, to, below, step } = rangeOf(branch.schema)
  return (
    value >= from &&
    value > above &&
    value <= to &&
    value < below &&
    (step === undefined || isMultiple(value, step))
  )
}
