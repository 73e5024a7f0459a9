import { Ajv2020 } from 'ajv/dist/2020.js'
import type { ListedOperation } from '../operations.ts'
import { faultsOf } from '../faults.ts'
import type { Reply } from '../raw-http.ts'

interface Document {
  readonly paths: Readonly<
    Record<string, Readonly<Record<string, { readonly responses: Responses }>>>
  >
}
type Responses = Readonly<
  Record<
    string,
    { readonly content?: Readonly<Record<string, { readonly schema: object }>> } | undefined
  >
>

/** Says what is wrong with a reply: nothing, for one that the document declares. */
export type Check = (operation: ListedOperation, method: string, reply: Reply) => readonly string[]

/** The data of events that came with the head of a stream. */
const eventsIn = (text: string): unknown[] =>
  text
    .split('\n')
    .filter((line) => line.startsWith('data: '))
    .map((line) => JSON.parse(line.slice('data: '.length)) as unknown)

/** Compares replies with what an OpenAPI 3.1 document declares: status, content type, and the body's schema. */
export const declaredBy = (document: Document): Check => {
  const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: false })
  ajv.addSchema(document, 'document')
  const compiled = new Map<object, ReturnType<typeof ajv.compile>>()
  const validate = (schema: object, value: unknown): string | undefined => {
    const text = JSON.stringify(schema).replaceAll('"#/components', '"document#/components')
    const check = compiled.get(schema) ?? ajv.compile(JSON.parse(text) as object)
    compiled.set(schema, check)
    return check(value) ? undefined : ajv.errorsText(check.errors)
  }
  return ({ template, method: declaredMethod }, method, reply) => {
    const { status, headers, text } = reply
    if (status >= 500) return [`it is ${status}`]
    const { responses } = document.paths[template]?.[declaredMethod.toLowerCase()] ?? {}
    const declared = responses?.[String(status)]
    if (declared === undefined) return [`${status} is not declared`]
    if (method === 'HEAD' || status === 304) return text === '' ? [] : ['it has a body']
    const contents = Object.entries(declared.content ?? {})
    const [content] = contents
    if (content === undefined) return text === '' ? [] : ['it has a body, and none is declared']
    const type = headers['content-type'] ?? ''
    const found = contents.find(([name]) => name === type)
    if (found === undefined) return [`content-type is ${type}, not ${content[0]}`]
    const wrong: string[] = []
    if (type === 'application/problem+json') wrong.push(...faultsOf(reply))
    try {
      const bodies = type === 'text/event-stream' ? eventsIn(text) : [reply.json<unknown>()]
      for (const body of bodies) {
        const fault = validate(found[1].schema, body)
        if (fault !== undefined) wrong.push(fault)
      }
    } catch (error) {
      wrong.push(String(error))
    }
    return wrong
  }
}
