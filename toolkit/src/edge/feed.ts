import type { Env } from '../base/env.ts'
import { failure } from '../base/failure.ts'
import type { HttpRequest } from '../link/http.ts'
import type { Route } from './router.ts'

const heartbeatMs = 15_000
const utf8 = new TextEncoder()

/** One item as a server-sent event; an item's `id` is what a client resumes after. */
const eventOf = (item: unknown): Uint8Array => {
  const id = (item as { readonly id?: unknown } | null)?.id
  const resume =
    typeof id === 'string' || typeof id === 'number'
      ? `id: ${String(id).replaceAll(/[\r\n\0]/g, '')}\n`
      : ''
  return utf8.encode(`${resume}data: ${JSON.stringify(item)}\n\n`)
}

export interface EventStreamOptions {
  readonly env: Env
  /** Whether the client may still read it: asked before each item and heartbeat. */
  readonly allowed: () => Promise<boolean>
  /** Aborts when the host stops: the client comes back to another. */
  readonly leaving: AbortSignal
  /** Counts it among its client's. */
  readonly counted: (stream: AsyncGenerator<Uint8Array>) => AsyncIterable<Uint8Array>
}

/**
 * A feed as an event stream (WHATWG HTML, section 9.2): an event for each item, and a comment every 15 seconds, so that nobody in between takes the silence for
 * the end.
 */
export async function* eventStream(
  items: AsyncIterable<unknown>,
  { env, allowed, leaving }: Omit<EventStreamOptions, 'counted'>,
): AsyncGenerator<Uint8Array> {
  const source = items[Symbol.asyncIterator]()
  let next = source.next()
  try {
    while (!leaving.aborted) {
      const silence = new AbortController()
      const leave = () => silence.abort()
      leaving.addEventListener('abort', leave)
      const beat = env.sleep(heartbeatMs, silence.signal).then(
        () => undefined,
        () => undefined,
      )
      const item = await Promise.race([next, beat]).finally(() => {
        leaving.removeEventListener('abort', leave)
        silence.abort()
      })
      if (leaving.aborted || !(await allowed())) return
      if (item === undefined) yield utf8.encode(': the feed goes on\n\n')
      else if (item.done === true) return
      else {
        yield eventOf(item.value)
        next = source.next()
      }
    }
  } finally {
    // The client has left: the item under way is nobody's any more.
    next.catch(() => undefined)
    source.return?.().catch(() => undefined)
  }
}

/** A feed's input: Last-Event-ID, which a client sends when it comes back, is its field `after`. */
export const resumed = (route: Route, request: HttpRequest, input: unknown): unknown => {
  const last = request.header('last-event-id')
  const resumes = route.operation.kind === 'feed' && route.fields.has('after') && last !== undefined
  return resumes ? Object.assign({}, input, { after: last }) : input
}

/**
 * Counts the feeds that each client has open, of which it may have only so many: each costs memory, and some work at every
 * event. Throws `rate-limited`.
 */
export const feedCounter = (most: number) => {
  const open = new Map<string, number>()
  return (client: string, stream: AsyncGenerator<Uint8Array>): AsyncIterable<Uint8Array> => {
    const others = open.get(client) ?? 0
    if (others >= most)
      throw failure('rate-limited', `${others} feeds are open already; end one of them`, {
        data: { retryAfterSeconds: 1 },
      })
    open.set(client, others + 1)
    let left = false
    const leave = () => {
      if (left) return
      left = true
      const rest = (open.get(client) ?? 1) - 1
      if (rest > 0) open.set(client, rest)
      else open.delete(client)
    }
    // Not a generator: one that was never asked for an item would not notice that its client has left.
    const items: AsyncIterator<Uint8Array> = {
      next: async () => {
        try {
          const item = await stream.next()
          if (item.done === true) leave()
          return item
        } catch (error) {
          leave()
          throw error
        }
      },
      return: (value) => {
        leave()
        return stream.return(value)
      },
    }
    return { [Symbol.asyncIterator]: () => items }
  }
}
