import type { ListedOperation, Parameter, Schema } from '../operations.ts'
import { placesOf, sampleOf, withValueAt } from '../operations.ts'
import type { RequestParts } from '../raw-http.ts'
import * as naughty from './naughty.ts'
import type { Random } from './random.ts'

/** What replies have told: values of fields that a request may name, so that it finds something. */
export interface Pool {
  get(name: string): readonly unknown[]
}

/** A request, and whether it is sent to its operation: then the reply must be one that the document declares for it. */
export interface Generated {
  readonly parts: RequestParts
  readonly routed: boolean
  readonly what: string
}

/** Of each kind of string that a schema asks for in a way of its own. */
const patternTexts = [
  'GBP',
  'EUR',
  'SKU-1',
  'a b',
  '2026-01-01T00:00:00Z',
  '2026-06-30T12:00:00.5Z',
  '3',
  '0',
]

const textOf = (schema: Schema & { readonly maxLength?: number }, random: Random): string => {
  const patterns = [schema, ...(schema.allOf ?? [])].flatMap(({ pattern }) =>
    pattern === undefined ? [] : [new RegExp(pattern, 'u')],
  )
  const fitting = patternTexts.filter((text) => patterns.every((pattern) => pattern.test(text)))
  if (patterns.length > 0)
    return fitting.length > 0 ? random.pick(fitting) : String(sampleOf(schema))
  const { minLength = 0, maxLength = 200 } = schema
  if (random.chance(0.2))
    return 'x'.repeat(random.chance(0.5) ? minLength : Math.min(maxLength, 3_000))
  const letters = 'abcdefghijklmnopqrstuvwxyzABC 0123456789-_.é😀'
  const length = Math.max(minLength, Math.min(maxLength, 1 + random.below(24)))
  return Array.from({ length }, () => letters.charAt(random.below(letters.length)))
    .join('')
    .toWellFormed()
}

/** A value that fits, as far as its schema tells. */
const fitting = (
  schema: Schema & { readonly maximum?: number; readonly maxItems?: number },
  random: Random,
  pool: Pool,
  name = '',
): unknown => {
  if (name === 'email' && random.chance(0.3)) return `fuzz-${random.below(2 ** 31)}@example.org`
  const known = pool.get(name)
  if (known.length > 0 && schema.type === 'string' && random.chance(0.7)) return random.pick(known)
  if (schema.const !== undefined) return schema.const
  if (schema.enum !== undefined) return random.pick(schema.enum)
  if (schema.anyOf !== undefined) return fitting(random.pick(schema.anyOf), random, pool, name)
  switch (schema.type) {
    case 'object':
      return Object.fromEntries(
        Object.entries(schema.properties ?? {})
          .filter(([field]) => schema.required?.includes(field) === true || random.chance(0.6))
          .map(([field, inner]) => [field, fitting(inner, random, pool, field)]),
      )
    case 'array': {
      const most = Math.min(schema.maxItems ?? 3, 3)
      const length = Math.max(schema.minItems ?? 0, random.below(most + 1))
      return Array.from({ length }, () => fitting(schema.items ?? {}, random, pool, name))
    }
    case 'integer':
    case 'number': {
      const least = schema.minimum ?? 0
      const most = Math.min(schema.maximum ?? 1_000, Number.MAX_SAFE_INTEGER)
      if (random.chance(0.1)) return random.pick([least, most])
      return Math.min(most, Math.max(least, random.below(20)))
    }
    case 'boolean':
      return random.chance(0.5)
    case 'null':
      return null
    case 'string':
      return textOf(schema, random)
    default:
      return random.pick(naughty.values)
  }
}

const anything = (random: Random): unknown => {
  const kind = random.below(3)
  return random.pick<unknown>([naughty.texts, naughty.numbers, naughty.values][kind] ?? [])
}

/** A body with one to three places that do not fit: another value, one too many, one too few. */
const mutated = (operation: ListedOperation, value: unknown, random: Random): unknown => {
  let changed = value
  for (let count = 1 + random.below(3); count > 0; count--) {
    const places = placesOf(operation.body ?? {}, changed)
    const { path } = random.pick(places)
    try {
      const way = random.below(10)
      if (way < 6) changed = withValueAt(changed, path, anything(random))
      else if (way < 8) changed = withValueAt(changed, path, undefined)
      else changed = withValueAt(changed, [...path, random.pick(naughty.texts)], anything(random))
    } catch {
      // An earlier change has taken the place away.
    }
  }
  return changed
}

/** The same as a text that is JSON in a strange way, or nearly. */
const twisted = (value: unknown, random: Random): string | Buffer => {
  const text = JSON.stringify(value) ?? 'null'
  switch (random.below(8)) {
    case 0:
      return text.slice(0, random.below(text.length + 1))
    case 1:
      return text.replace(/\d+/, () => random.pick(naughty.numberTexts))
    case 2:
      return text.replace(/"(\w+)":/, (all, name: string) => `${all}null,"${name}":`)
    case 3:
      return `\ufeff${text}`
    case 4:
      return text.replace(/}$/, ',}')
    case 5:
      return text.replace(/":"/, () => `":"\\ud800`)
    case 6: {
      const bytes = Buffer.from(text)
      if (bytes.length > 0) bytes[random.below(bytes.length)] = random.below(256)
      return bytes
    }
    default:
      return text.replaceAll(/([{}[\],:])/g, '\r\n\t $1 ')
  }
}

const valueOf = (parameter: Parameter, random: Random, pool: Pool): string => {
  const value = random.chance(0.75)
    ? fitting(parameter.schema, random, pool, parameter.name)
    : anything(random)
  return typeof value === 'string' ? value : JSON.stringify(value)
}

const encoded = (text: string, random: Random): string =>
  random.chance(0.97)
    ? encodeURIComponent(text.toWellFormed())
    : text.replaceAll(/[^\x21-\x7e]|[?#]/g, '%')

const queryOf = (operation: ListedOperation, random: Random, pool: Pool): string => {
  const parameters = operation.parameters.filter((one) => one.in === 'query')
  const parts = parameters
    .filter(({ required }) => required || random.chance(0.4))
    .map((one) => `${one.name}=${encoded(valueOf(one, random, pool), random)}`)
  if (parts.length > 0 && random.chance(0.03)) parts.push(random.pick(parts))
  if (random.chance(0.05))
    parts.push(
      `${encoded(random.pick(naughty.texts), random)}=${encoded(random.pick(naughty.texts), random)}`,
    )
  return parts.length === 0 ? '' : `?${parts.join('&')}`
}

const pathOf = (operation: ListedOperation, random: Random, pool: Pool): string =>
  operation.parameters
    .filter((one) => one.in === 'path')
    .reduce((path, one) => {
      const text = encodeURIComponent(valueOf(one, random, pool).toWellFormed())
      return path.replace(`{${one.name}}`, () => (text === '' ? '%20' : text))
    }, operation.template)

const bodyOf = (operation: ListedOperation, random: Random, pool: Pool): unknown => {
  if (operation.body === undefined)
    return random.chance(0.1) ? random.pick(naughty.bodies) : undefined
  const fits = fitting(operation.body, random, pool)
  const way = random.below(100)
  if (way < 45) return fits
  if (way < 80) return mutated(operation, fits, random)
  if (way < 93) return twisted(random.chance(0.5) ? fits : mutated(operation, fits, random), random)
  if (way < 99) return random.pick(naughty.bodies)
  return random.chance(0.1)
    ? JSON.stringify({ ...(fits as object), x: 'x'.repeat(1_048_576) })
    : anything(random)
}

const oddHeaders = (random: Random): Record<string, string> => {
  if (!random.chance(0.25)) return {}
  const names = Object.keys(naughty.headers)
  return Object.fromEntries(
    Array.from({ length: 1 + random.below(3) }, () => {
      const name = random.pick(names)
      // As bytes: what a header may not hold is not sent.
      return [name, random.pick(naughty.headers[name] ?? []).replaceAll(/[^\x20-\xff]/g, '?')]
    }),
  )
}

/** Headers that have a server give up what it would otherwise read. */
const breaksFraming = new Set(['expect', 'upgrade', 'te'])

export const generate = (
  operation: ListedOperation,
  credentials: Readonly<Record<string, string>>,
  random: Random,
  pool: Pool,
): Generated => {
  const path = `${pathOf(operation, random, pool)}${queryOf(operation, random, pool)}`
  const key = operation.parameters.some(({ name }) => name === 'Idempotency-Key')
    ? { 'idempotency-key': random.chance(0.95) ? `fuzz-${random.below(2 ** 31)}` : 'same' }
    : {}
  const etags = pool.get('etag')
  const match =
    etags.length > 0 && random.chance(0.1)
      ? { [random.pick(['if-match', 'if-none-match'])]: String(random.pick(etags)) }
      : {}
  const odd = oddHeaders(random)
  const headers = { ...credentials, ...key, ...match, ...odd }
  const what = Object.keys(odd).some((name) => breaksFraming.has(name))
    ? 'odd framing'
    : 'operation'
  if (random.chance(0.04)) {
    // Another method, or a path beside the ones that there are.
    const other = random.chance(0.5)
      ? path
      : random.pick([
          `${path}/`,
          `/${path}`,
          path.replace(/\/[^/]*$/, ''),
          `${path}/x`,
          path.toUpperCase(),
          `/${encodeURIComponent(random.pick(naughty.texts).toWellFormed())}`,
        ])
    const method = random.pick(naughty.methods)
    return {
      parts: { method, path: other === '' ? '/' : other, headers },
      routed: false,
      what: 'elsewhere',
    }
  }
  const method = operation.method === 'GET' && random.chance(0.05) ? 'HEAD' : operation.method
  const body =
    operation.method === 'GET' || operation.method === 'DELETE'
      ? undefined
      : bodyOf(operation, random, pool)
  const typed = typeof body === 'string' || body instanceof Uint8Array || body !== undefined
  return {
    parts: {
      method,
      path,
      headers: { ...(typed ? { 'content-type': 'application/json' } : {}), ...headers },
      ...(body === undefined ? {} : { body }),
    },
    routed: true,
    what,
  }
}
