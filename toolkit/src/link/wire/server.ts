import type { Env } from '../../base/env.ts'
import { asFailure, failure, type ServalError } from '../../base/failure.ts'
import { begin } from '../../guard/interceptor.ts'
import { LazySignal } from '../../guard/signal.ts'
import type { Logger } from '../../telemetry/log.ts'
import { acceptableRequestId } from '../../telemetry/trace.ts'
import { isFeed, type Caller, type Link, type Reply } from '../call.ts'
import { complaints } from '../complaints.ts'
import type { Identities } from '../identity.ts'
import { mostStrangers, Strangers } from '../strangers.ts'
import { knownTokens } from './client.ts'
import { Connection, maxMessageBytes, type ConnectionOwner } from './connection.ts'
import { failureText, readCall, rememberedBytes, valueText, type CallMessage } from './encoding.ts'
import { frame, misspoken } from './frames.ts'
import type { Pipe, PipeEvents } from './pipe.ts'
import { Stream } from './stream.ts'

export interface WireServerOptions {
  readonly env: Env
  readonly log: Logger
  /** Reaches the services of this host. */
  readonly link: Link
  readonly identities: Identities
  /** What all hosts of the fleet share. */
  readonly secret: Uint8Array
}

export interface WireServer {
  /** Serves a connection that was made to this host. */
  open(pipe: Pipe): PipeEvents
  /** New calls are refused as not sent, and feeds end, so that their callers go on at another host. */
  leave(): void
  /** Leaves; resolves when every call is answered and every connection has ended. */
  drain(): Promise<void>
  /** Ends every connection at once. */
  close(): void
}

const draining = () => failure('draining')
const crowded = () =>
  failure('overloaded', `more than ${mostStrangers} connections have not finished their handshake`)

/** Of how a connection ended: what a peer did wrong, or left undone. */
const worthALine = new Set(['invalid-input', 'deadline-exceeded', 'overloaded'])

/** A call that is answered. */
class Serving extends Stream {
  readonly #client: Client
  readonly #options: WireServerOptions
  readonly #signal = new LazySignal()
  #begun = false
  #feed: AsyncIterator<unknown> | undefined

  constructor(id: number, client: Client, options: WireServerOptions) {
    super(id)
    this.#client = client
    this.#options = options
  }

  override received(type: number, payload: Uint8Array): void {
    if (type !== frame.call || this.#begun) throw misspoken('a stream has one call')
    this.#begun = true
    const message = readCall(payload)
    begin(this.#run, message).then(
      (reply) => this.#answer(message, reply),
      (error: unknown) => this.#fail(message, error),
    )
  }

  override cancelled(): void {
    this.#client.connection.end(this)
    this.stop(failure('cancelled', 'the caller gave up'))
  }

  override overfull(maxBytes: number): void {
    const detail = `the link: a call has at most ${maxBytes} bytes`
    this.#end(frame.failed, failureText(failure('invalid-input', detail)))
  }

  /** Nobody waits for the reply any more. */
  stop(why: ServalError): void {
    this.#signal.abort(why)
    void this.#feed?.return?.().catch(() => undefined)
  }

  /** A feed ends, so that its reader goes on elsewhere. */
  leave(): void {
    if (this.#feed === undefined) return
    this.#end(frame.failed, failureText(draining()))
    this.stop(draining())
  }

  readonly #run = (message: CallMessage): Promise<Reply> => {
    const { env, identities } = this.#options
    if (this.#client.left) throw draining()
    const deadline = env.now() + message.left
    const token = this.#client.tokenOf(message.identity)
    const caller = identities.verify(token, message.contract)
    return caller instanceof Promise
      ? caller.then((verified) => this.#call(message, deadline, verified))
      : this.#call(message, deadline, caller)
  }

  #call(message: CallMessage, deadline: number, caller: Caller): Promise<Reply> {
    const { env, link } = this.#options
    const { contract, operation, input, key, correlationId, strict } = message
    return link.call({
      contract,
      operation,
      input,
      caller,
      key: key ?? undefined,
      deadline,
      signal: this.#signal,
      trace: { correlationId: acceptableRequestId(correlationId) ?? env.id() },
      strict,
      target: `${contract}.${operation}`,
      // Whoever calls has the guards that repeat.
      repeatable: false,
    })
  }

  #answer(message: CallMessage, reply: Reply): void {
    try {
      if (reply.remembered !== undefined)
        this.#end(frame.remembered, rememberedBytes(reply.remembered))
      else if (isFeed(reply)) void this.#pass(message, reply.value)
      else if (reply.value === undefined) this.#end(frame.nothing)
      else {
        const text = valueText(reply.value)
        if (text.length > maxMessageBytes)
          throw failure('internal', `a reply over a link has at most ${maxMessageBytes} bytes`, {
            ran: 'ran',
          })
        this.#end(frame.value, text)
      }
    } catch (error) {
      this.#fail(message, error)
    }
  }

  async #pass(message: CallMessage, feed: AsyncIterable<unknown>): Promise<void> {
    const { connection } = this.#client
    const items = feed[Symbol.asyncIterator]()
    try {
      this.#feed = items
      if (this.#signal.aborted) return void (await items.return?.())
      connection.send(this, frame.feed)
      for (;;) {
        const { done, value } = await items.next()
        if (this.#signal.aborted) return
        if (done === true) return this.#end(frame.end)
        connection.send(this, frame.item, valueText(value))
        await connection.sent(this)
      }
    } catch (error) {
      this.#fail(message, error)
    }
  }

  #fail({ contract, operation }: CallMessage, error: unknown): void {
    const failed = asFailure(error)
    const target = `${contract}.${operation}`
    if (failed.kind === 'internal')
      this.#options.log.error('a call over a link failed', { target }, error)
    this.#end(frame.failed, failureText(failed))
  }

  #end(type: number, content?: string | Uint8Array): void {
    const { connection } = this.#client
    connection.send(this, type, content)
    const over = () => connection.end(this)
    const sending = connection.sent(this)
    if (sending === undefined) over()
    else void sending.then(over)
  }
}

/** A host that calls this one. */
class Client implements ConnectionOwner {
  readonly connection: Connection
  /** Whether this host takes no new calls. */
  left = false
  readonly #options: WireServerOptions
  readonly #notStrange: () => void
  readonly #ended: (why: ServalError) => void
  readonly #tokens = new Map<number, string>()

  constructor(
    options: WireServerOptions,
    pipe: Pipe,
    notStrange: () => void,
    ended: (why: ServalError) => void,
  ) {
    this.#options = options
    this.#notStrange = notStrange
    this.#ended = ended
    const { env, secret } = options
    this.connection = new Connection({ env, side: 'server', secret, pipe, owner: this })
  }

  gone(): void {
    this.#notStrange()
  }

  ready(): void {
    this.#notStrange()
    if (this.left) this.connection.close(draining(), true)
  }

  accept(id: number): Stream {
    return new Serving(id, this, this.#options)
  }

  identity(number: number, token: string): void {
    this.#tokens.set(number, token)
    const [oldest] = this.#tokens.keys()
    if (oldest !== undefined && this.#tokens.size > 2 * knownTokens) this.#tokens.delete(oldest)
  }

  tokenOf(number: number): string {
    const token = this.#tokens.get(number)
    if (token !== undefined) return token
    throw failure('unavailable', 'the link: the identity of a call is no longer known')
  }

  /** No more calls come; those that came before are answered. */
  leaving(): void {
    this.connection.closeAfterLast(draining())
  }

  leave(): void {
    this.left = true
    this.connection.tell(frame.leaving)
    for (const stream of this.connection.streams.values())
      if (stream instanceof Serving) stream.leave()
  }

  closed(why: ServalError): void {
    for (const stream of this.connection.streams.values())
      if (stream instanceof Serving) stream.stop(failure('cancelled', why.message, { cause: why }))
    this.#ended(why)
  }
}

/** Answers other hosts' calls to the services of this one. */
export const wireServer = (options: WireServerOptions): WireServer => {
  const clients = new Set<Client>()
  const strangers = new Strangers<Client>(({ connection }) => connection.cut(crowded()))
  const complain = complaints(options.env, options.log)
  let left = false
  let drained: () => void = () => undefined
  const leave = () => {
    left = true
    for (const client of clients) client.leave()
  }
  return {
    open: (pipe) => {
      const ended = (why: ServalError) => {
        if (worthALine.has(why.code)) complain('a connection was ended', pipe.peer, why)
        clients.delete(client)
        if (clients.size === 0) drained()
      }
      const notStrange = () => strangers.delete(client)
      const client: Client = new Client(options, pipe, notStrange, ended)
      client.left = left
      clients.add(client)
      strangers.add(client)
      return client.connection
    },
    leave,
    drain: () => {
      leave()
      return new Promise((resolve) => {
        drained = resolve
        if (clients.size === 0) resolve()
      })
    },
    close: () => {
      for (const { connection } of clients) connection.close(draining())
    },
  }
}
