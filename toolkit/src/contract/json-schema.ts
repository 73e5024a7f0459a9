import { z } from 'zod'

export type JsonSchema = Readonly<Record<string, unknown>>

/** A schema as JSON Schema 2020-12, as OpenAPI 3.1 uses it; `input` is what a client sends, `output` what it gets. */
export const jsonSchema = (schema: z.ZodType, io: 'input' | 'output'): JsonSchema => {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, {
    io,
    unrepresentable: 'any',
    reused: 'inline',
  })
  return rest
}

/** The properties of an object schema, by name. */
export const propertiesOf = (schema: JsonSchema): Readonly<Record<string, JsonSchema>> =>
  (schema['properties'] ?? {}) as Readonly<Record<string, JsonSchema>>

export const requiredOf = (schema: JsonSchema): readonly string[] =>
  (schema['required'] ?? []) as readonly string[]
