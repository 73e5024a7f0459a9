import { failure } from '../base/failure.ts'

const frozen = <T>(value: T): T => {
  if (typeof value === 'object' && value !== null) {
    for (const part of Object.values(value)) frozen(part)
    Object.freeze(value)
  }
  return value
}

/** A value read from JSON text, which nobody can change. */
export const frozenJson = (json: string): unknown => frozen(JSON.parse(json))

/** The JSON text of a value; undefined for undefined. Throws `internal` for what JSON does not hold. */
export const jsonText = (key: string, value: unknown): string | undefined => {
  try {
    return JSON.stringify(value)
  } catch (cause) {
    throw failure('internal', `What is cached under ${key} is not JSON`, { cause })
  }
}
