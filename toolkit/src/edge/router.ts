import { z } from 'zod'
import { failure } from '../base/failure.ts'
import type { Contract, HttpBinding, Operation } from '../contract/index.ts'
import { pathParameters } from '../contract/index.ts'
import { jsonSchema, propertiesOf, type JsonSchema } from '../contract/json-schema.ts'

/** Path and query of a request's target. */
export const splitTarget = (target: string): [path: string, query: string] => {
  const at = target.indexOf('?')
  return at < 0 ? [target, ''] : [target.slice(0, at), target.slice(at + 1)]
}

/** A part of a path: a text, or the name of the parameter that stands there. */
export interface Segment {
  readonly literal: string
  readonly parameter: string | undefined
}

const segmentsOf = (path: string): Segment[] =>
  path
    .split('/')
    .slice(1)
    .map((literal) => ({
      literal,
      parameter: literal.startsWith(':') ? literal.slice(1) : undefined,
    }))

/** Whoever is answered nothing takes any type. */
const mediaTypeOf = ({ kind, output }: Operation, { status }: HttpBinding): Route['answers'] => {
  if (status === 204 || output instanceof z.ZodUndefined) return undefined
  return kind === 'feed' ? 'text/event-stream' : 'application/json'
}

/** One public operation, ready to be matched. */
export interface Route {
  readonly contract: Contract
  readonly name: string
  readonly operation: Operation
  readonly http: HttpBinding
  readonly segments: readonly Segment[]
  /** The media type of its replies; undefined for those without content. */
  readonly answers: 'application/json' | 'text/event-stream' | undefined
  /** Fields whose query text is read as a number or a truth value before it is validated. */
  readonly typed: ReadonlyMap<string, 'number' | 'boolean'>
  readonly fields: ReadonlySet<string>
}

export type Match =
  | { readonly route: Route; readonly parameters: Readonly<Record<string, string>> }
  | { readonly allow: readonly string[] }
  | undefined

/** What could never be called fails at start. */
const checkBinding = (
  target: string,
  http: HttpBinding,
  properties: ReadonlyMap<string, JsonSchema>,
) => {
  for (const parameter of pathParameters(http.path))
    if (!properties.has(parameter))
      throw failure(
        'misconfigured',
        `${target}: the path's :${parameter} is not a field of the input`,
      )
  if (http.method !== 'GET' && http.method !== 'DELETE') return
  for (const [field, { type }] of properties)
    if (type === 'array' || type === 'object')
      throw failure(
        'misconfigured',
        `${target}: the field ${field} is an ${type}; ${http.method} has no body to carry it`,
      )
}

const routeOf = (
  contract: Contract,
  name: string,
  operation: Operation,
  http: HttpBinding,
): Route => {
  const schema = jsonSchema(operation.input, 'input')
  const properties = Object.entries(propertiesOf(schema))
  if (schema['type'] === 'object')
    checkBinding(`${contract.name}.${name}`, http, new Map(properties))
  const typed = new Map<string, 'number' | 'boolean'>()
  for (const [field, schema] of properties) {
    const type = schema['type']
    if (type === 'integer' || type === 'number') typed.set(field, 'number')
    if (type === 'boolean') typed.set(field, 'boolean')
  }
  const fields = new Set(properties.map(([field]) => field))
  const segments = segmentsOf(http.path)
  const answers = mediaTypeOf(operation, http)
  return { contract, name, operation, http, segments, answers, typed, fields }
}

/** The routes of contracts: those whose access `serves` accepts. */
export const routesOf = (
  contracts: readonly Contract[],
  serves: (operation: Operation) => boolean,
): Route[] =>
  contracts.flatMap((contract) =>
    Object.entries(contract.operations).flatMap(([name, operation]) =>
      operation.http !== undefined && serves(operation)
        ? [routeOf(contract, name, operation, operation.http)]
        : [],
    ),
  )

/** Undefined when the path holds what is no percent-encoding. */
const decoded = (segment: string): string | undefined => {
  if (!segment.includes('%')) return segment
  try {
    return decodeURIComponent(segment)
  } catch {
    return undefined
  }
}

const parametersOf = (
  route: Route,
  segments: readonly string[],
): Record<string, string> | undefined => {
  if (route.segments.length !== segments.length) return undefined
  const parameters: Record<string, string> = {}
  for (let index = 0; index < segments.length; index++) {
    const { literal = '', parameter } = route.segments[index] ?? {}
    const segment = segments[index] ?? ''
    if (parameter === undefined) {
      if (literal !== segment) return undefined
      continue
    }
    const value = decoded(segment)
    if (value === undefined || value === '') return undefined
    parameters[parameter] = value
  }
  return parameters
}

/** Finds the operation of a method and a path; a literal segment wins over a parameter, HEAD goes where GET goes. */
export const router = (routes: readonly Route[]): ((method: string, path: string) => Match) => {
  const parametersIn = (route: Route) =>
    route.segments.filter(({ parameter }) => parameter !== undefined).length
  const ordered = [...routes].sort((a, b) => parametersIn(a) - parametersIn(b))
  const names = new Map<string, string>()
  for (const { http, contract, name, segments } of routes) {
    const form = `${http.method} /${segments.map(({ literal, parameter }) => (parameter === undefined ? literal : ':')).join('/')}`
    const before = names.get(form)
    if (before !== undefined)
      throw failure(
        'misconfigured',
        `${before} and ${contract.name}.${name} are both bound to ${http.method} ${http.path}`,
      )
    names.set(form, `${contract.name}.${name}`)
  }
  const byLength = Map.groupBy(ordered, (route) => route.segments.length)
  return (method, path) => {
    const segments = path.split('/').slice(1)
    const wanted = method === 'HEAD' ? 'GET' : method
    let allow: Set<string> | undefined
    for (const route of byLength.get(segments.length) ?? []) {
      const parameters = parametersOf(route, segments)
      if (parameters === undefined) continue
      if (route.http.method === wanted) return { route, parameters }
      allow ??= new Set()
      allow.add(route.http.method)
      if (route.http.method === 'GET') allow.add('HEAD')
    }
    return allow && { allow: [...allow].sort() }
  }
}
