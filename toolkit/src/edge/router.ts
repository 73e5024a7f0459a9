import type { Contract, HttpBinding, Operation } from '../contract/index.ts'
import { jsonSchema, propertiesOf } from '../contract/json-schema.ts'

/** One public operation, ready to be matched. */
export interface Route {
  readonly contract: Contract
  readonly name: string
  readonly operation: Operation
  readonly http: HttpBinding
  readonly segments: readonly string[]
  /** Fields whose query text is read as a number or a truth value before it is validated. */
  readonly typed: ReadonlyMap<string, 'number' | 'boolean'>
  readonly fields: ReadonlySet<string>
}

export type Match =
  | { readonly route: Route; readonly parameters: Readonly<Record<string, string>> }
  | { readonly allow: readonly string[] }
  | undefined

const routeOf = (contract: Contract, name: string, operation: Operation, http: HttpBinding): Route => {
  const properties = Object.entries(propertiesOf(jsonSchema(operation.input, 'input')))
  const typed = new Map<string, 'number' | 'boolean'>()
  for (const [field, schema] of properties) {
    const type = schema['type']
    if (type === 'integer' || type === 'number') typed.set(field, 'number')
    if (type === 'boolean') typed.set(field, 'boolean')
  }
  const fields = new Set(properties.map(([field]) => field))
  return { contract, name, operation, http, segments: http.path.split('/').slice(1), typed, fields }
}

/** The routes of contracts: those whose access `serves` accepts. */
export const routesOf = (contracts: readonly Contract[], serves: (operation: Operation) => boolean): Route[] =>
  contracts.flatMap((contract) =>
    Object.entries(contract.operations).flatMap(([name, operation]) =>
      operation.http !== undefined && serves(operation) ? [routeOf(contract, name, operation, operation.http)] : [],
    ),
  )

/** Undefined when the path holds what is no percent-encoding. */
const decoded = (segment: string): string | undefined => {
  try {
    return decodeURIComponent(segment)
  } catch {
    return undefined
  }
}

const parametersOf = (route: Route, segments: readonly string[]): Record<string, string> | undefined => {
  if (route.segments.length !== segments.length) return undefined
  const parameters: Record<string, string> = {}
  for (const [index, pattern] of route.segments.entries()) {
    const segment = segments[index] ?? ''
    if (!pattern.startsWith(':')) {
      if (pattern !== segment) return undefined
      continue
    }
    const value = decoded(segment)
    if (value === undefined || value === '') return undefined
    parameters[pattern.slice(1)] = value
  }
  return parameters
}

/** Finds the operation of a method and a path; a literal segment wins over a parameter, HEAD goes where GET goes. */
export const router = (routes: readonly Route[]): ((method: string, path: string) => Match) => {
  const parametersIn = (route: Route) => route.segments.filter((segment) => segment.startsWith(':')).length
  const ordered = [...routes].sort((a, b) => parametersIn(a) - parametersIn(b))
  const byLength = Map.groupBy(ordered, (route) => route.segments.length)
  return (method, path) => {
    const segments = path.split('/').slice(1)
    const wanted = method === 'HEAD' ? 'GET' : method
    const allow = new Set<string>()
    for (const route of byLength.get(segments.length) ?? []) {
      const parameters = parametersOf(route, segments)
      if (parameters === undefined) continue
      if (route.http.method === wanted) return { route, parameters }
      allow.add(route.http.method)
      if (route.http.method === 'GET') allow.add('HEAD')
    }
    return allow.size > 0 ? { allow: [...allow].sort() } : undefined
  }
}
