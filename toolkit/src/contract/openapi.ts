import { z } from 'zod'
import type { FailureKind } from '../base/failure.ts'
import { headerFields, pathParameters } from './binding.ts'
import type { Contract } from './contract.ts'
import { jsonSchema, propertiesOf, requiredOf, type JsonSchema } from './json-schema.ts'
import type { Operation } from './operation.ts'

export interface OpenApiOptions {
  readonly title: string
  readonly version: string
  readonly contracts: readonly Contract[]
  /** Which operations the document shows. */
  readonly serves: (operation: Operation) => boolean
  /** The edge's table from a failure's kind to a status. */
  readonly statusOf: Readonly<Record<FailureKind, number>>
}

const problemSchema: JsonSchema = {
  type: 'object',
  required: ['type', 'title', 'status', 'code', 'correlationId'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    instance: { type: 'string' },
    code: { type: 'string' },
    correlationId: { type: 'string' },
    errors: {
      type: 'array',
      items: {
        type: 'object',
        required: ['pointer', 'message'],
        properties: { pointer: { type: 'string' }, message: { type: 'string' } },
      },
    },
  },
}

const problemReply = (description: string) => ({
  description,
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
})

const pick = (schema: JsonSchema, keep: (field: string) => boolean): JsonSchema => ({
  ...schema,
  properties: Object.fromEntries(
    Object.entries(propertiesOf(schema)).filter(([field]) => keep(field)),
  ),
  required: requiredOf(schema).filter(keep),
})

const responsesOf = (operation: Operation, status: Readonly<Record<FailureKind, number>>) => {
  const success = operation.http?.status ?? 200
  const type = operation.kind === 'feed' ? 'text/event-stream' : 'application/json'
  const content =
    success === 204 || operation.output instanceof z.ZodUndefined
      ? {}
      : { content: { [type]: { schema: jsonSchema(operation.output, 'output') } } }
  const declared = Map.groupBy(operation.problems, (problem) => status[problem.kind])
  const general: [number, string][] = [
    [400, 'The input is not valid'],
    [404, 'There is nothing at this address'],
    [405, 'This address does not take this method'],
    [406, 'The reply’s type is not accepted'],
    [408, 'The request was not complete in time'],
    [413, 'The body is too large'],
    [414, 'The address is too long'],
    [415, 'The body’s type is not supported'],
    [429, 'Too many requests; come again after Retry-After'],
    [431, 'The headers are too large'],
    [503, 'Try again later'],
    [504, 'Not answered in time'],
  ]
  if (operation.access !== 'public') general.push([401, 'Not signed in'], [403, 'Not allowed'])
  if (operation.http?.ifMatch === true) general.push([412, 'It was changed since'])
  if (operation.repeat === 'key')
    general.push(
      [409, 'Others changed the same thing at this moment'],
      [422, 'The Idempotency-Key was used with another body'],
    )
  const failures = new Map(general)
  for (const [code, problems] of declared)
    failures.set(
      code,
      [
        ...(failures.has(code) ? [failures.get(code)] : []),
        ...problems.map((one) => `${one.title} (${one.code})`),
      ].join('; '),
    )
  return {
    [success]: { description: operation.summary, ...content },
    ...(operation.http?.etag === true && operation.http.method === 'GET'
      ? { 304: { description: 'Not changed' } }
      : {}),
    ...Object.fromEntries(
      [...failures].map(([code, description]) => [code, problemReply(description)]),
    ),
  }
}

/** Roles are listed as OpenAPI 3.1 says for schemes that are no OAuth. */
const securityOf = (access: Operation['access']) => {
  if (access === 'public') return []
  if (access === 'operator') return [{ operator: [] }]
  return [{ bearer: access.startsWith('role:') ? [access.slice('role:'.length)] : [] }]
}

/** A PATCH is a merge patch (RFC 7396), whichever of the two names it bears. */
const bodyTypes = (method: string | undefined) =>
  method === 'PATCH' ? ['application/merge-patch+json', 'application/json'] : ['application/json']

const operationObject = (
  contract: Contract,
  name: string,
  operation: Operation,
  options: OpenApiOptions,
) => {
  const input = jsonSchema(operation.input, 'input')
  const http = operation.http
  const inPath = new Set(pathParameters(http?.path ?? ''))
  const inHeader = new Set(http === undefined ? [] : headerFields(http))
  const inUrl = http?.method === 'GET' || http?.method === 'DELETE'
  const parameters = Object.entries(propertiesOf(input))
    .filter(([field]) => inPath.has(field) || (inUrl && !inHeader.has(field)))
    .map(([field, schema]) => ({
      name: field,
      in: inPath.has(field) ? 'path' : 'query',
      required: inPath.has(field) || requiredOf(input).includes(field),
      schema,
    }))
  const key = {
    name: 'Idempotency-Key',
    in: 'header',
    required: true,
    schema: { type: 'string', minLength: 1, maxLength: 255 },
  }
  const match = {
    name: 'If-Match',
    in: 'header',
    required: false,
    schema: { type: 'string' },
    description: 'The ETag of what is to be changed; refused with 412 when it was changed since',
  }
  const body = pick(input, (field) => !inPath.has(field) && !inHeader.has(field))
  const hasBody = !inUrl && Object.keys(propertiesOf(body)).length > 0
  return {
    operationId: `${contract.name}.${name}`,
    tags: [contract.name],
    summary: operation.summary,
    parameters: [
      ...parameters,
      ...(operation.repeat === 'key' ? [key] : []),
      ...(http?.ifMatch === true ? [match] : []),
    ],
    ...(hasBody
      ? {
          requestBody: {
            required: true,
            content: Object.fromEntries(
              bodyTypes(http?.method).map((type) => [
                type,
                { schema: { ...body, additionalProperties: false } },
              ]),
            ),
          },
        }
      : {}),
    responses: responsesOf(operation, options.statusOf),
    security: securityOf(operation.access),
  }
}

/** The OpenAPI 3.1 document of contracts: made from them, so that it cannot say anything else. */
export const openApi = (options: OpenApiOptions): JsonSchema => {
  const paths: Record<string, Record<string, unknown>> = {}
  const served = new Set<string>()
  for (const contract of options.contracts)
    for (const [name, operation] of Object.entries(contract.operations)) {
      if (operation.http === undefined || !options.serves(operation)) continue
      served.add(contract.name)
      const path = operation.http.path.replaceAll(/\/:([^/]+)/g, '/{$1}')
      paths[path] = {
        ...paths[path],
        [operation.http.method.toLowerCase()]: operationObject(contract, name, operation, options),
      }
    }
  return {
    openapi: '3.1.0',
    info: { title: options.title, version: options.version },
    tags: [...served].map((name) => ({ name })),
    paths,
    components: {
      schemas: { Problem: problemSchema },
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
        operator: { type: 'apiKey', in: 'header', name: 'x-serval-operator' },
      },
    },
  }
}
