import type { z } from 'zod'
import { failure } from '../base/failure.ts'

/** One thing wrong with an input, by its JSON Pointer (RFC 6901). */
export interface InputError {
  readonly pointer: string
  readonly message: string
}

export const jsonPointer = (path: readonly PropertyKey[]): string =>
  path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')

/** Fields of `sent` that the schema dropped: what a strict reader refuses. */
const unknownFields = (sent: unknown, parsed: unknown, path: PropertyKey[] = []): InputError[] => {
  if (Array.isArray(sent) && Array.isArray(parsed))
    return sent.flatMap((item, index) => unknownFields(item, parsed[index], [...path, index]))
  if (typeof sent !== 'object' || sent === null || typeof parsed !== 'object' || parsed === null)
    return []
  return Object.entries(sent).flatMap(([name, value]) =>
    // Undefined is no value in JSON: what travels is without it.
    value === undefined || Object.hasOwn(parsed, name)
      ? unknownFields(value, (parsed as Record<string, unknown>)[name], [...path, name])
      : [{ pointer: jsonPointer([...path, name]), message: 'This field is not known' }],
  )
}

/** Texts that no store takes: a NUL, or half of a surrogate pair. */
const brokenTexts = (value: unknown, path: PropertyKey[] = []): InputError[] => {
  if (typeof value === 'string')
    return value.includes('\0') || !value.isWellFormed()
      ? [
          {
            pointer: jsonPointer(path),
            message: 'A text may not hold U+0000 or half of a surrogate pair',
          },
        ]
      : []
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, item]) => [
    ...(name.includes('\0') || !name.isWellFormed()
      ? [
          {
            pointer: jsonPointer(path),
            message: 'A field name may not hold U+0000 or half of a surrogate pair',
          },
        ]
      : []),
    ...brokenTexts(item, [...path, name]),
  ])
}

/** The first object in it whose own members hide how objects become numbers and texts. */
const hidingObject = (value: unknown, path: PropertyKey[] = []): PropertyKey[] | undefined => {
  if (typeof value !== 'object' || value === null) return undefined
  if (Object.hasOwn(value, 'toString') || Object.hasOwn(value, 'valueOf')) return path
  for (const [name, item] of Object.entries(value)) {
    const found = hidingObject(item, [...path, name])
    if (found !== undefined) return found
  }
  return undefined
}

/**
 * Zod's checks of a length run on values of another type too, and throw where the `length` of one is an object that cannot
 * become a number, such as `{"length":{"toString":1}}`.
 */
const safelyParsed = <S extends z.ZodType>(schema: S, sent: unknown) => {
  try {
    return schema.safeParse(sent)
  } catch (error) {
    const path = hidingObject(sent)
    if (path === undefined) throw error
    const fault = { pointer: jsonPointer(path), message: 'This value is not taken here' }
    throw failure('invalid-input', `${fault.pointer}: ${fault.message}`, {
      data: { errors: [fault] },
    })
  }
}

/**
 * The input as its schema reads it. A strict reader (the public edge) refuses unknown fields; between services they
 * are ignored, so that a newer caller can talk to an older server. Throws `invalid-input` with `data.errors`.
 */
export const validInput = <S extends z.ZodType>(
  schema: S,
  sent: unknown,
  strict: boolean,
): z.output<S> => {
  const parsed = safelyParsed(schema, sent)
  const errors: InputError[] = parsed.success
    ? strict
      ? [...brokenTexts(sent), ...unknownFields(sent, parsed.data)]
      : []
    : parsed.error.issues.map((issue) => ({
        pointer: jsonPointer(issue.path),
        message: issue.message,
      }))
  if (parsed.success && errors.length === 0) return parsed.data
  const first = errors[0]!
  const detail = `${first.pointer === '' ? 'The input' : first.pointer}: ${first.message}`
  throw failure('invalid-input', detail, { data: { errors: errors.slice(0, 100) } })
}

/** The output as its schema reads it, or `invalid-output`: a fault of the handler, told to the log and not to the caller. */
export const validOutput = <S extends z.ZodType>(
  schema: S,
  value: unknown,
  operation: string,
): z.output<S> => {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const where = parsed.error.issues.map((issue) => `${jsonPointer(issue.path)} ${issue.message}`)
  throw failure('invalid-output', `${operation}: ${where.slice(0, 5).join('; ')}`)
}
