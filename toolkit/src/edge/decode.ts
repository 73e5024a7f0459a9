import { failure } from '../base/failure.ts'
import { headerFields, pathParameters } from '../contract/index.ts'
import { jsonPointer } from '../contract/validate.ts'
import { HttpRefusal, type HttpRequest } from '../link/http.ts'
import type { Route } from './router.ts'

const maxDepth = 64

const invalid = (pointer: string, message: string) =>
  failure('invalid-input', `${pointer === '' ? 'The body' : pointer}: ${message}`, {
    data: { errors: [{ pointer, message }] },
  })

/** Nesting of arrays and objects, found without parsing, so that a deep text costs no stack. */
const depthOf = (json: string): number => {
  let depth = 0
  let deepest = 0
  let inText = false
  for (let at = 0; at < json.length; at++) {
    const code = json.charCodeAt(at)
    if (inText) {
      if (code === 0x5c) at++
      else if (code === 0x22) inText = false
    } else if (code === 0x22) inText = true
    else if (code === 0x7b || code === 0x5b) deepest = Math.max(deepest, ++depth)
    else if (code === 0x7d || code === 0x5d) depth--
  }
  return deepest
}

/** A JSON text (RFC 8259) in UTF-8, at most 64 levels deep. */
export const parseJson = (bytes: Uint8Array): unknown => {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw invalid('', 'It is not UTF-8')
  }
  const depth = depthOf(text)
  if (depth > maxDepth)
    throw invalid('', `It is nested ${depth} levels deep; ${maxDepth} are allowed`)
  try {
    return JSON.parse(text)
  } catch (error) {
    // The runtime's own words quote the text, which may hold a password.
    const place = / at position \d+| at line \d+ column \d+/.exec(String(error))?.[0] ?? ''
    throw invalid('', `It is not JSON${place}`)
  }
}

const isJson = (contentType: string): boolean => {
  const [type = '', ...parameters] = contentType.split(';').map((part) => part.trim().toLowerCase())
  const charset = parameters.find((parameter) => parameter.startsWith('charset='))
  return (
    /^application\/(json|[\w.-]+\+json)$/.test(type) &&
    (charset === undefined || /^charset="?utf-?8"?$/.test(charset))
  )
}

const bodyOf = async (
  route: Route,
  request: HttpRequest,
): Promise<Readonly<Record<string, unknown>>> => {
  const bytes = await request.body()
  const elsewhere = new Set([...pathParameters(route.http.path), ...headerFields(route.http)])
  const fieldsInBody = [...route.fields].some((field) => !elsewhere.has(field))
  if (bytes.length === 0 && !fieldsInBody) return {}
  const contentType = request.header('content-type')
  const encoding = request.header('content-encoding')
  if (bytes.length > 0 && (contentType === undefined || !isJson(contentType)))
    throw new HttpRefusal(415, 'Send the body as application/json')
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity')
    throw new HttpRefusal(415, 'Send the body without a content coding')
  if (bytes.length === 0) throw invalid('', 'It is empty; send a JSON object')
  const body = parseJson(bytes)
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw invalid('', 'It must be a JSON object')
  return body as Readonly<Record<string, unknown>>
}

/** Texts of a URL as the schema's numbers and truth values; what does not look like one stays a text, and is refused as such. */
const typedValue = (route: Route, name: string, text: string): unknown => {
  const type = route.typed.get(name)
  if (type === 'number' && /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text)) return Number(text)
  if (type === 'boolean' && /^(true|false)$/.test(text)) return text === 'true'
  return text
}

const queryOf = (route: Route, query: string): Record<string, unknown> => {
  const fields: Record<string, unknown> = {}
  if (query === '') return fields
  for (const [name, text] of new URLSearchParams(query)) {
    if (Object.hasOwn(fields, name)) throw invalid(jsonPointer([name]), 'This field is given twice')
    const value = typedValue(route, name, text)
    Object.defineProperty(fields, name, {
      value,
      enumerable: true,
      configurable: true,
      writable: true,
    })
  }
  return fields
}

/** An operation's input from the parts of a request; a field that the path names may not come a second time. */
export const decodeInput = async (
  route: Route,
  parameters: Readonly<Record<string, string>>,
  query: string,
  request: HttpRequest,
): Promise<unknown> => {
  const { method } = route.http
  const inUrl = method === 'GET' || method === 'DELETE'
  const fields = inUrl ? queryOf(route, query) : await bodyOf(route, request)
  if (!inUrl && query !== '')
    for (const name of new URLSearchParams(query).keys())
      throw invalid(jsonPointer([name]), 'This operation takes no query parameters')
  for (const name of Object.keys(parameters))
    if (Object.hasOwn(fields, name))
      throw invalid(jsonPointer([name]), 'This field is part of the path')
  for (const name of headerFields(route.http))
    if (Object.hasOwn(fields, name)) throw invalid(jsonPointer([name]), 'This field is a header')
  const ifMatch = route.http.ifMatch ? request.header('if-match') : undefined
  const inPath = Object.entries(parameters).map(([name, text]): [string, unknown] => [
    name,
    typedValue(route, name, text),
  ])
  return {
    ...fields,
    ...Object.fromEntries(inPath),
    ...(ifMatch === undefined ? {} : { ifMatch }),
  }
}
