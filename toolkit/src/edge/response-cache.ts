import type { Env } from '../base/env.ts'
import { asFailure, failure, isUnavailability } from '../base/failure.ts'
import { TaggedLru, type Tags } from '../cache/index.ts'
import { fillTag, validInput, type CacheRule } from '../contract/index.ts'
import type { HttpReply, HttpRequest } from '../link/http.ts'
import type { Logger } from '../telemetry/log.ts'
import { canonicalTarget } from './cached-target.ts'
import { decodeInput } from './decode.ts'
import type { Exchange, Stage } from './edge.ts'
import { splitTarget, type Route } from './router.ts'
import { bytesOf, hitFrom, isStorable, replyFrom, type StoredReply } from './stored-reply.ts'

/*
 * A cache on the origin's side (a gateway's, RFC 9111 calls it shared). The contract says how long a reply is kept, not the reply's
 * Cache-Control: that speaks to the caches of others, which are told to ask each time. For the same reason a client's Cache-Control
 * (no-cache, no-store, max-age=0, only-if-cached) changes nothing here: it would let anyone have every read made anew, and what
 * changed is dropped by purges. A fill is made with a request of the cache's own, that has no header, so that a reply cannot depend on
 * who asked first.
 */

export interface ResponseCacheOptions {
  readonly env: Env
  readonly log: Logger
  /** Who speaks in Cache-Status (RFC 9211); default `serval`. */
  readonly name?: string
  /** Default 100 000. */
  readonly maxEntries?: number
  /** About, for all entries together; default 64 MiB. */
  readonly maxBytes?: number
}

export interface ResponseCache {
  /** Comes after the route is found, and after limits. */
  readonly stage: Stage
  /** Drops what bears one of the tags. A fill under way answers those who wait already, and is not kept. */
  drop(tags: Tags): void
  /** Ends the fills that nobody waits for. */
  close(): void
}

/** A fill under way. */
interface Flight {
  /** Undefined until they are known, and for a request that is refused. */
  tags: readonly string[] | undefined
  waiting: number
  /** Fetches anew what is answered stale meanwhile: it goes on when nobody waits. */
  readonly background: boolean
  readonly abandoned: AbortController
  readonly outcome: Promise<Fetched>
}

/** `stored` is undefined for a reply that is only for the one who asked. */
interface Fetched {
  readonly reply: HttpReply
  readonly shared: Pick<StoredReply, 'headers' | 'body'> | undefined
  readonly kept: boolean
}

/** One request for something that may be cached. */
interface Asked {
  readonly key: string
  readonly route: Route
  readonly rule: CacheRule
  readonly exchange: Exchange
  readonly target: string
  readonly next: (exchange: Exchange) => Promise<HttpReply>
}

/** After a refresh that failed, the next one. */
const refreshAgainMs = 1_000
/** About what an entry costs beside its texts and bytes. */
const overheadBytes = 1_500

const ownRequest = (target: string, signal: AbortSignal): HttpRequest => ({
  method: 'GET',
  target,
  header: () => undefined,
  remoteAddress: '',
  signal,
  body: () => Promise.resolve(new Uint8Array()),
})

/** The tags of what is asked, by the input as its schema reads it; undefined for a request that will be refused. */
const tagsOf = async (route: Route, rule: CacheRule, fill: Exchange) => {
  const { parameters = {}, query, request } = fill
  try {
    const sent = await decodeInput(route, parameters, query, request)
    const input = validInput(route.operation.input, sent, true) as Record<string, unknown>
    return rule.tags.map((tag) => fillTag(route.contract.name, tag, input))
  } catch {
    // The operation says itself what is wrong with it.
    return undefined
  }
}

/** Answers public reads from memory, for as long as their contract says (see `cache` in `query`). */
export const responseCache = (options: ResponseCacheOptions): ResponseCache => {
  const { env, log, name = 'serval', maxEntries = 100_000, maxBytes = 64 * 1024 * 1024 } = options
  const entries = new TaggedLru<StoredReply>({ maxEntries, maxBytes })
  const flights = new Map<string, Flight>()

  const store = (asked: Asked, flight: Flight, reply: HttpReply, begunAt: number): Fetched => {
    const { key, rule } = asked
    if (!isStorable(reply)) {
      if (flights.get(key) === flight) entries.delete(key)
      return { reply, shared: undefined, kept: false }
    }
    const shared = { headers: reply.headers, body: bytesOf(reply.body) }
    const freshUntil = begunAt + rule.ttlMs
    const staleUntil = freshUntil + rule.staleWhileRevalidateMs
    const { tags } = flight
    // A drop has taken it off the list.
    const kept = flights.get(key) === flight && tags !== undefined && env.now() < staleUntil
    if (kept) {
      const stored = { ...shared, begunAt, freshUntil, staleUntil, refreshAt: 0, made: undefined }
      // Twice the body: what a stage in front makes of it, such as a content coding, lives as long.
      const bytes = overheadBytes + 4 * key.length + 2 * shared.body.length + 100 * tags.length
      entries.set(key, stored, bytes, tags)
    }
    return { reply, shared, kept }
  }

  const fetch = async (asked: Asked, flight: Flight): Promise<Fetched> => {
    const { key, exchange, target, next } = asked
    const begunAt = env.now()
    const [path, query] = splitTarget(target)
    const request = ownRequest(target, flight.abandoned.signal)
    const fill = { ...exchange, request, path, query }
    try {
      flight.tags = await tagsOf(asked.route, asked.rule, fill)
      return store(asked, flight, await next(fill), begunAt)
    } catch (error) {
      // An answer, and another one than what is kept.
      if (flights.get(key) === flight && !isUnavailability(asFailure(error))) entries.delete(key)
      throw error
    } finally {
      if (flights.get(key) === flight) flights.delete(key)
    }
  }

  const begin = (asked: Asked, background: boolean): Flight => {
    const { promise: outcome, resolve, reject } = Promise.withResolvers<Fetched>()
    const abandoned = new AbortController()
    const flight: Flight = { tags: undefined, waiting: 0, background, abandoned, outcome }
    flights.set(asked.key, flight)
    fetch(asked, flight).then(resolve, reject)
    return flight
  }

  const abandon = (key: string, flight: Flight) => {
    if (flights.get(key) === flight) flights.delete(key)
    flight.abandoned.abort(failure('cancelled', 'Nobody waits for it any more'))
  }

  /** Waits for a fill, which ends when all who wait for it have gone. */
  const wait = async (asked: Asked, flight: Flight): Promise<Fetched> => {
    const { signal } = asked.exchange.request
    const leave = () => {
      flight.waiting -= 1
      if (flight.waiting === 0 && !flight.background) abandon(asked.key, flight)
    }
    flight.waiting += 1
    if (signal.aborted) leave()
    else signal.addEventListener('abort', leave, { once: true })
    try {
      return await flight.outcome
    } finally {
      signal.removeEventListener('abort', leave)
    }
  }

  const miss = async (asked: Asked, forward: 'uri-miss' | 'stale'): Promise<HttpReply> => {
    const there = flights.get(asked.key)
    const { reply, shared, kept } = await wait(asked, there ?? begin(asked, false))
    const { request } = asked.exchange
    if (shared !== undefined) {
      const how = there !== undefined ? '; collapsed' : kept ? '; stored' : ''
      return replyFrom(shared, request, `${name}; fwd=${forward}${how}`)
    }
    // What is not for everybody was made for the first.
    if (there === undefined) return reply
    return asked.next({ ...asked.exchange, request: ownRequest(asked.target, request.signal) })
  }

  const refresh = (asked: Asked, stored: StoredReply, now: number) => {
    if (now < stored.refreshAt || flights.has(asked.key)) return
    begin(asked, true).outcome.catch((error: unknown) => {
      stored.refreshAt = env.now() + refreshAgainMs
      const fields = { contract: asked.route.contract.name, operation: asked.route.name }
      log.info('a cached reply was not refreshed', fields, error)
    })
  }

  const stage: Stage = (exchange, next) => {
    const { route, parameters, query, request } = exchange
    const rule = route?.operation.cache
    if (route === undefined || rule === undefined || parameters === undefined) return next(exchange)
    const target = canonicalTarget(route, parameters, query)
    if (target === undefined) return next(exchange)
    // The route too: a parameter may have the text of another route's literal.
    const key = `${route.contract.name}.${route.name} ${target}`
    const stored = entries.get(key)
    const now = env.now()
    // A clock that was set back tells no ages.
    if (stored !== undefined && now >= stored.begunAt && now < stored.staleUntil) {
      if (now >= stored.freshUntil)
        refresh({ key, route, rule, exchange, target, next }, stored, now)
      return Promise.resolve(hitFrom(stored, request, name, now))
    }
    const asked = { key, route, rule, exchange, target, next }
    return miss(asked, stored === undefined ? 'uri-miss' : 'stale')
  }

  return {
    stage,
    drop: (tags) => {
      entries.drop(tags)
      for (const [key, flight] of flights)
        if (
          tags === 'all' ||
          flight.tags === undefined ||
          tags.some((tag) => flight.tags?.includes(tag))
        )
          flights.delete(key)
    },
    close: () => {
      for (const [key, flight] of flights) if (flight.waiting === 0) abandon(key, flight)
    },
  }
}
