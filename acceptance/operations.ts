import { send } from './raw-http.ts'

/*
 * The operations of a running shop, as its own document lists them, and inputs for them made from their schemas: a new operation is tested
 * without a word about it here.
 */

export interface Schema {
  readonly type?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean | Schema
  readonly items?: Schema
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly pattern?: string
  readonly format?: string
  readonly minLength?: number
  readonly minItems?: number
  readonly minimum?: number
  readonly anyOf?: readonly Schema[]
  readonly allOf?: readonly Schema[]
}

export interface Parameter {
  readonly name: string
  readonly in: 'path' | 'query' | 'header'
  readonly required: boolean
  readonly schema: Schema
}

export interface ListedOperation {
  readonly id: string
  readonly method: string
  /** With `{name}` for each parameter. */
  readonly template: string
  readonly parameters: readonly Parameter[]
  readonly body: Schema | undefined
  readonly access: 'public' | 'bearer' | 'operator'
  /** The roles of which one is needed; empty where every user may call. */
  readonly roles: readonly string[]
  /** What a success answers. */
  readonly answers: 'json' | 'events' | 'nothing'
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, DocumentedOperation>>>>
}
interface DocumentedOperation {
  readonly operationId: string
  readonly parameters: readonly Parameter[]
  readonly requestBody?: {
    readonly content: { readonly 'application/json': { readonly schema: Schema } }
  }
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, unknown>> }>
  >
  readonly security: readonly Readonly<Record<string, readonly string[]>>[]
}

export const operationsOf = async (address: string): Promise<readonly ListedOperation[]> => {
  const { paths } = (await send(address, { path: '/openapi.json' })).json<Document>()
  return Object.entries(paths).flatMap(([template, methods]) =>
    Object.entries(methods).map(([method, operation]) => {
      const [[scheme, roles] = []] = operation.security.flatMap((one) => Object.entries(one))
      const contents = Object.entries(operation.responses)
        .filter(([status]) => status.startsWith('2'))
        .flatMap(([, { content = {} }]) => Object.keys(content))
      return {
        id: operation.operationId,
        method: method.toUpperCase(),
        template,
        parameters: operation.parameters,
        body: operation.requestBody?.content['application/json'].schema,
        access: scheme === 'bearer' || scheme === 'operator' ? scheme : 'public',
        roles: roles ?? [],
        answers:
          contents.length === 0
            ? 'nothing'
            : contents.includes('text/event-stream')
              ? 'events'
              : 'json',
      } as const
    }),
  )
}

/** Texts that patterns and formats here ask for. */
const texts = [
  'text',
  'GBP',
  'someone@example.org',
  'TEST-1',
  '2026-01-01T00:00:00Z',
  '01999999-0000-7000-8000-000000000000',
  '1',
  '2026-01-01',
]

/** A value that fits a schema. `known` gives some by the field's name. */
export const sampleOf = (
  schema: Schema,
  known: Readonly<Record<string, unknown>> = {},
  name = '',
): unknown => {
  if (Object.hasOwn(known, name)) return known[name]
  if (schema.const !== undefined) return schema.const
  if (schema.enum !== undefined) return schema.enum[0]
  const [first] = schema.anyOf ?? schema.allOf ?? []
  if (first !== undefined && schema.type === undefined) return sampleOf(first, known, name)
  switch (schema.type) {
    case 'object':
      return Object.fromEntries(
        Object.entries(schema.properties ?? {}).map(([field, inner]) => [
          field,
          sampleOf(inner, known, field),
        ]),
      )
    case 'array':
      return Array.from({ length: Math.max(1, schema.minItems ?? 0) }, () =>
        sampleOf(schema.items ?? {}, known),
      )
    case 'integer':
    case 'number':
      return Math.max(1, schema.minimum ?? 1)
    case 'boolean':
      return true
    case 'string': {
      const patterns = [schema, ...(schema.allOf ?? [])].flatMap(({ pattern }) =>
        pattern === undefined ? [] : [new RegExp(pattern, 'u')],
      )
      const fits = (text: string) =>
        text.length >= (schema.minLength ?? 0) && patterns.every((pattern) => pattern.test(text))
      const text = [...texts, 'x'.repeat(schema.minLength ?? 1)].find(fits)
      if (text === undefined)
        throw new Error(`no text here fits ${JSON.stringify(schema)}: add one to operations.ts`)
      return text
    }
    default:
      return 'anything'
  }
}

/** A place in a value: the path to it, and the schema that holds there. */
export interface Place {
  readonly path: readonly (string | number)[]
  readonly schema: Schema
  readonly required: boolean
  /** `null` fits as well. */
  readonly nullable: boolean
}

/** All places in a sample that its schema describes, outer ones first. */
export const placesOf = (
  given: Schema,
  sample: unknown,
  path: readonly (string | number)[] = [],
  required = true,
): readonly Place[] => {
  const nullable = given.anyOf?.some(({ type }) => type === 'null') ?? false
  const schema = (nullable ? given.anyOf?.find(({ type }) => type !== 'null') : given) ?? given
  const here = { path, schema, required, nullable }
  if (Array.isArray(sample) && schema.items !== undefined)
    return [
      here,
      ...sample
        .slice(0, 1)
        .flatMap((item, index) => placesOf(schema.items ?? {}, item, [...path, index])),
    ]
  if (typeof sample !== 'object' || sample === null) return [here]
  return [
    here,
    ...Object.entries(schema.properties ?? {}).flatMap(([field, inner]) =>
      placesOf(
        inner,
        (sample as Readonly<Record<string, unknown>>)[field],
        [...path, field],
        schema.required?.includes(field) ?? false,
      ),
    ),
  ]
}

export const pointerOf = (path: readonly (string | number)[]): string =>
  path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')

/** A copy with another value in one place; `undefined` takes a field away. */
export const withValueAt = (
  value: unknown,
  path: readonly (string | number)[],
  other: unknown,
): unknown => {
  const [first, ...rest] = path
  if (first === undefined) return other
  if (Array.isArray(value))
    return value.map((item: unknown, index) =>
      index === first ? withValueAt(item, rest, other) : item,
    )
  const object = value as Readonly<Record<string, unknown>>
  return { ...object, [first]: withValueAt(object[first], rest, other) }
}

/** The target of an operation: path parameters filled from samples, and what the query must have. */
export const targetOf = (
  operation: ListedOperation,
  known: Readonly<Record<string, unknown>> = {},
): string => {
  const value = (parameter: Parameter) =>
    encodeURIComponent(String(sampleOf(parameter.schema, known, parameter.name)))
  let path = operation.template
  for (const parameter of operation.parameters.filter((one) => one.in === 'path'))
    path = path.replace(`{${parameter.name}}`, value(parameter))
  const query = operation.parameters
    .filter((one) => one.in === 'query' && one.required)
    .map((one) => `${one.name}=${value(one)}`)
  return query.length === 0 ? path : `${path}?${query.join('&')}`
}
