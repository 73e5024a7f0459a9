import { z } from 'zod'
import type { Env } from '../base/env.ts'
import { failure } from '../base/failure.ts'
import {
  command,
  contract,
  del,
  get,
  patch,
  post,
  problem,
  put,
  query,
  validInput,
  validOutput,
  type Contract,
} from '../contract/index.ts'
import type { Call, Link, Reply } from '../link/call.ts'
import type { HttpReply, HttpRequest } from '../link/http.ts'
import { authorize } from '../service/access.ts'
import { logger } from '../telemetry/log.ts'
import { manualEnv } from '../testing/manual-env.ts'
import { bearer, edge, type EdgeOptions } from './index.ts'

/* What the tests of the edge and of the HTTP client share: a contract with every kind of input, and an edge over a link that answers by hand. */

const Sku = z
  .string()
  .regex(
    /^[\x21-\x7e]([\x20-\x7e]{0,62}[\x21-\x7e])?$/,
    'A SKU is 1 to 64 printable ASCII characters',
  )
const Thing = z.object({
  sku: Sku,
  name: z.string().max(200),
  size: z.int().min(0),
  tags: z.array(z.object({ id: z.string(), weight: z.number().optional() })).max(1_000),
})
const Echo = z.object({ got: z.json() })

export const Closed = problem('closed', {
  kind: 'conflict',
  title: 'The shop is closed',
  data: z.object({ opensAt: z.string(), status: z.string().optional() }),
})
export const TooLarge = problem('too-large', { kind: 'unprocessable', title: 'It is too large' })
export const NoSuchThing = problem('no-such-thing', {
  kind: 'not-found',
  title: 'There is no such thing',
  data: z.object({ sku: z.string() }),
})
export const Slow = problem('slow-down', {
  kind: 'limited',
  title: 'Too many',
  data: z.object({ retryAfterSeconds: z.number() }),
})
export const Away = problem('acquirer-away', {
  kind: 'unavailable',
  title: 'The acquirer is away',
  retryable: true,
})

export const sample = contract('sample', {
  operations: {
    list: query({
      summary: 'Things',
      access: 'public',
      http: get('/things'),
      input: z.object({
        q: z.string().optional(),
        limit: z.int().min(1).max(100).default(20),
        ratio: z.number().optional(),
        exact: z.boolean().optional(),
        cursor: z.string().optional(),
      }),
      output: z.object({ items: z.array(z.json()), next: z.string().optional() }),
    }),
    read: query({
      summary: 'A thing',
      access: 'public',
      http: get('/things/:sku', { etag: true }),
      input: z.object({ sku: Sku }),
      output: Echo,
      problems: [NoSuchThing],
    }),
    special: query({
      summary: 'The special thing',
      access: 'public',
      http: get('/things/special'),
      input: z.object({}),
      output: Echo,
    }),
    create: command({
      summary: 'Adds',
      access: 'user',
      repeat: 'key',
      http: post('/things', { status: 201, location: '/things/:sku' }),
      input: Thing,
      output: z.object({ sku: z.string() }),
      problems: [Closed, TooLarge, Slow, Away],
    }),
    change: command({
      summary: 'Changes',
      access: 'role:merchant',
      repeat: 'never',
      http: patch('/things/:sku'),
      input: z.object({
        sku: Sku,
        name: z.string().nullable().optional(),
        size: z.int().optional(),
      }),
      output: Echo,
    }),
    replace: command({
      summary: 'Counts',
      access: 'public',
      repeat: 'natural',
      http: put('/things/:sku/pages/:page'),
      input: z.object({ sku: Sku, page: z.int().min(1), open: z.boolean() }),
      output: Echo,
    }),
    remove: command({
      summary: 'Removes',
      access: 'public',
      repeat: 'natural',
      http: del('/things/:sku'),
      input: z.object({ sku: Sku, force: z.boolean().optional() }),
      output: z.undefined(),
    }),
    cancel: command({
      summary: 'Cancels',
      access: 'public',
      repeat: 'natural',
      http: post('/things/:sku/cancel', { status: 202 }),
      input: z.object({ sku: Sku }),
      output: Echo,
    }),
    search: query({
      summary: 'Finds',
      access: 'public',
      http: post('/search'),
      input: z.object({
        words: z.array(z.string()).optional(),
        where: z.record(z.string(), z.json()).optional(),
      }),
      output: z.object({ got: z.json(), next: z.string().optional() }),
    }),
    hidden: query({ summary: 'Not served', access: 'internal', input: z.object({}), output: Echo }),
  },
})

export interface Asked {
  readonly method?: string
  readonly target: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array | HttpRequest['body']
  readonly signal?: AbortSignal
}

/** A request by hand. A body of text or bytes is JSON unless the headers say otherwise. */
export const request = ({
  method = 'GET',
  target,
  headers = {},
  body = '',
  signal,
}: Asked): HttpRequest => {
  const fields = new Map(
    Object.entries(
      typeof body !== 'function' && body.length > 0
        ? { 'content-type': 'application/json', ...headers }
        : headers,
    ),
  )
  return {
    method,
    target,
    header: (name) => (fields.get(name) === '(none)' ? undefined : fields.get(name)),
    remoteAddress: '127.0.0.1',
    signal: signal ?? new AbortController().signal,
    body:
      typeof body === 'function'
        ? body
        : () => Promise.resolve(typeof body === 'string' ? new TextEncoder().encode(body) : body),
  }
}

export type Handle = (call: Call) => Promise<Reply>

/** Answers calls as a service would, without one: authorize, validate, then `handle`, or an echo of the input. */
export const fakeLink = (made: Contract, handle?: Handle): Link & { readonly calls: Call[] } => {
  const calls: Call[] = []
  return {
    calls,
    call: async (call) => {
      const operation = made.operations[call.operation]
      if (operation === undefined) throw failure('no-such-operation')
      authorize(operation.access, call.caller)
      const input = validInput(operation.input, call.input, call.strict)
      if (operation.repeat === 'key' && call.key === undefined)
        throw failure('idempotency-key-missing')
      calls.push({ ...call, input })
      if (handle !== undefined) return handle({ ...call, input })
      const echo =
        call.operation === 'list'
          ? { items: [input] }
          : call.operation === 'create'
            ? { sku: (input as { sku: string }).sku }
            : { got: input }
      return {
        value: validOutput(
          operation.output,
          call.operation === 'remove' ? undefined : echo,
          call.target,
        ),
      }
    },
  }
}

export interface ReadReply {
  readonly status: number
  readonly headers: HttpReply['headers']
  readonly text: string
  /** The body as JSON, if there is one. */
  readonly json: unknown
}

const read = (reply: HttpReply): ReadReply => {
  const body = reply.body ?? ''
  if (typeof body !== 'string' && !(body instanceof Uint8Array))
    throw new Error('the reply is a stream')
  const text = typeof body === 'string' ? body : new TextDecoder().decode(body)
  return {
    status: reply.status,
    headers: reply.headers,
    text,
    json: text === '' ? undefined : JSON.parse(text),
  }
}

export interface EdgeUnderTest {
  ask(asked: Asked): Promise<ReadReply>
  readonly handle: (asked: HttpRequest) => Promise<HttpReply>
  readonly calls: readonly Call[]
  /** Lines that were logged, read. */
  readonly logged: Record<string, unknown>[]
  readonly env: Env
}

/** An edge for the sample contract. The tokens `customer` and `merchant` are good ones. */
export const edgeUnderTest = (
  options: Partial<EdgeOptions> & { readonly reply?: Handle } = {},
): EdgeUnderTest => {
  const env = manualEnv()
  const logged: Record<string, unknown>[] = []
  const link = fakeLink(sample, options.reply)
  const handle = edge({
    env,
    log: logger({
      env,
      level: 'info',
      write: (line) => logged.push(JSON.parse(line) as Record<string, unknown>),
    }),
    contracts: [sample],
    link,
    serves: (operation) => operation.access !== 'internal',
    identify: bearer((token) =>
      Promise.resolve(
        token === 'customer' || token === 'merchant'
          ? { kind: 'user', id: token, roles: [token], session: 's' }
          : undefined,
      ),
    ),
    ...options,
  })
  return {
    handle,
    calls: link.calls,
    logged,
    env,
    ask: async (asked) => read(await handle(request(asked))),
  }
}

/** The errors of a problem document. */
export const errorsOf = ({ json }: ReadReply) =>
  (json as { errors?: { pointer: string; message: string }[] }).errors
export const pointersOf = (reply: ReadReply) => errorsOf(reply)?.map(({ pointer }) => pointer)
