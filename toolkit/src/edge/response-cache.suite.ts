import { z } from 'zod'
import { contract, get, problem, query } from '../contract/index.ts'
import type { HttpReply } from '../link/http.ts'
import { logger } from '../telemetry/log.ts'
import { manualEnv } from '../testing/manual-env.ts'
import type { Exchange } from './edge.ts'
import { responseCache, type ResponseCacheOptions } from './response-cache.ts'
import { router, routesOf, splitTarget } from './router.ts'
import { request, type Asked } from './sample.suite.ts'

/* What the tests of the response cache share: a contract, and the stage in front of a function that answers. */

export const NoSuchBook = problem('no-such-book', { kind: 'not-found', title: 'No such book' })

const Cache = { ttl: '1m', staleWhileRevalidate: '10s' } as const
const Book = z.object({ isbn: z.string() })

export const books = contract('books', {
  operations: {
    book: query({
      summary: 'A book',
      access: 'public',
      http: get('/books/:isbn', { etag: true }),
      input: z.object({ isbn: z.string().toUpperCase() }),
      output: Book,
      problems: [NoSuchBook],
      cache: { ...Cache, tags: ['book::isbn', 'books'] },
    }),
    newest: query({
      summary: 'The newest book',
      access: 'public',
      http: get('/books/newest'),
      input: z.object({}),
      output: Book,
      cache: { ttl: '1s', tags: ['newest'] },
    }),
    list: query({
      summary: 'Books',
      access: 'public',
      http: get('/books'),
      input: z.object({ q: z.string().optional(), limit: z.int().max(100).default(20) }),
      output: z.object({ items: z.array(Book) }),
      cache: { ...Cache, tags: ['list::limit'] },
    }),
    uncached: query({
      summary: 'Now',
      access: 'public',
      http: get('/now'),
      input: z.object({}),
      output: Book,
    }),
  },
})

export type Answer = (exchange: Exchange) => Promise<HttpReply>

/** The edge's usual answer, with a body that says which it is of how many. */
export const reply = (body: string, headers: HttpReply['headers'] = {}): HttpReply => ({
  status: 200,
  headers: {
    'cache-control': 'max-age=0, must-revalidate',
    'content-type': 'application/json',
    etag: `"${body}"`,
    ...headers,
  },
  body,
})

export const textOf = ({ body }: HttpReply): string =>
  typeof body === 'string' ? body : new TextDecoder().decode(body as Uint8Array | undefined)

export const cacheUnderTest = (
  options: Partial<ResponseCacheOptions> & { readonly answer?: Answer } = {},
) => {
  const env = options.env ?? manualEnv()
  const logged: Record<string, unknown>[] = []
  const write = (line: string) => logged.push(JSON.parse(line) as Record<string, unknown>)
  const cache = responseCache({ env, log: logger({ env, level: 'debug', write }), ...options })
  const find = router(routesOf([books], () => true))
  const asked: Exchange[] = []
  const answer = { is: options.answer ?? (async () => reply(`${asked.length}`)) }
  const ask = async (about: Asked | string): Promise<HttpReply> => {
    const made = request(typeof about === 'string' ? { target: about } : about)
    const [path, query] = splitTarget(made.target)
    const match = find(made.method, path)
    if (match === undefined || 'allow' in match) throw new Error(`no route for ${made.target}`)
    return cache.stage({ request: made, path, query, correlationId: 'c', ...match }, (exchange) => {
      asked.push(exchange)
      return answer.is(exchange)
    })
  }
  return {
    cache,
    env,
    logged,
    asked,
    ask,
    answer,
    /** The body, and what Cache-Status says of it. */
    tell: async (about: Asked | string) => {
      const said = await ask(about)
      return `${textOf(said)} ${String(said.headers['cache-status'])}`
    },
  }
}
