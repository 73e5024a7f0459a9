import type { Env } from '../../base/env.ts'
import { asFailure, failure, reasonOf, type ServalError } from '../../base/failure.ts'
import { abortSignal, type Signal } from '../../guard/signal.ts'
import type { Call, Link, Reply } from '../call.ts'
import type { Identities } from '../identity.ts'
import { Calling } from './calling.ts'
import { Connection, maxMessageBytes, type ConnectionOwner } from './connection.ts'
import { callText, longestWaitMs } from './encoding.ts'
import { frame, maxStream, misspoken } from './frames.ts'
import type { Dial, Pipe } from './pipe.ts'

export interface WireLinkOptions {
  readonly env: Env
  readonly dial: Dial
  readonly identities: Identities
  /** What all hosts of the fleet share. */
  readonly secret: () => Promise<Uint8Array>
  readonly address: string
  /** The stream after which a connection is replaced. */
  readonly lastStream?: number
}

export interface WireLink extends Link {
  /** Takes no new calls, and ends its connections after those under way. */
  leave(): void
  /** Whether it has left, and no connection is left. */
  readonly gone: boolean
  /** Ends its connections; calls under way fail. */
  close(): void
}

/** A server remembers twice as many tokens. */
export const knownTokens = 1_024

const firstPauseMs = 20
const longestPauseMs = 1_000

/** One connection to a server, from its handshake on. */
class ClientConnection implements ConnectionOwner {
  readonly connection: Connection
  readonly #options: WireLinkOptions
  readonly #settled: (why: ServalError | undefined) => void
  /** Numbers of tokens that the server was told, the oldest first. */
  readonly #known = new Map<string, number>()
  #introduced = 0
  #stream = 0
  #left = false

  constructor(
    options: WireLinkOptions,
    secret: Uint8Array,
    pipe: Pipe,
    settled: (why: ServalError | undefined) => void,
  ) {
    this.#options = options
    this.#settled = settled
    const { env } = options
    this.connection = new Connection({ env, side: 'client', secret, pipe, owner: this })
  }

  /** Whether it has numbers left for calls. */
  get takesMore(): boolean {
    return this.connection.open && this.#stream < (this.#options.lastStream ?? maxStream)
  }

  call(call: Call, token: string): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const { target, contract, operation, strict, key, input } = call
      if (this.#left) throw failure('draining', `${target}: the host is stopping`)
      if (!this.connection.open) throw failure('unavailable', `${target}: the connection has ended`)
      const text = callText({
        contract,
        operation,
        identity: this.#numberOf(token),
        left: this.#leftFor(call),
        correlationId: call.trace.correlationId,
        strict,
        key: key ?? null,
        input,
      })
      if (text.length > maxMessageBytes)
        throw failure('invalid-input', `a call over a link has at most ${maxMessageBytes} bytes`, {
          ran: 'not-sent',
        })
      this.#stream += 1
      const calling = new Calling(this.#stream, this.connection, call, resolve, reject)
      this.connection.begin(calling)
      this.connection.send(calling, frame.call, text)
    })
  }

  ready(): void {
    this.#settled(undefined)
  }

  accept(): never {
    throw misspoken('a server begins no calls')
  }

  identity(): never {
    throw misspoken('a server has no identity to tell')
  }

  /** What this side has called so far is answered; it says that there is no more. */
  leaving(): void {
    this.#left = true
    this.connection.tell(frame.leaving)
  }

  closed(why: ServalError): void {
    this.#settled(why)
    for (const stream of this.connection.streams.values())
      if (stream instanceof Calling) stream.broken(why)
  }

  gone(): void {}

  #leftFor({ deadline }: Call): number {
    const left = deadline - this.#options.env.now()
    return Math.ceil(Math.min(longestWaitMs, Math.max(0, left)))
  }

  #numberOf(token: string): number {
    const known = this.#known.get(token)
    if (known !== undefined) return known
    this.#introduced += 1
    this.connection.introduce(this.#introduced, token)
    this.#known.set(token, this.#introduced)
    const [oldest] = this.#known.keys()
    if (oldest !== undefined && this.#known.size > knownTokens) this.#known.delete(oldest)
    return this.#introduced
  }
}

/** Ends with the promise, or when the signal aborts. */
const whileWanted = <T>(promise: Promise<T>, signal: Signal): Promise<T> =>
  new Promise((resolve, reject) => {
    const giveUp = () => reject(reasonOf(abortSignal(signal)))
    signal.addEventListener('abort', giveUp)
    const settle = (end: () => void) => {
      signal.removeEventListener('abort', giveUp)
      end()
    }
    promise.then(
      (value) => settle(() => resolve(value)),
      (error: unknown) => settle(() => reject(asFailure(error))),
    )
  })

/** The link to one host, over a connection that is made when a call needs it. */
export const wireLink = (options: WireLinkOptions): WireLink => {
  const { env, dial, identities, address } = options
  const connections = new Set<ClientConnection>()
  let current: ClientConnection | undefined
  let connecting: Promise<ClientConnection> | undefined
  let failed = 0
  let notBefore = 0
  let over = false

  const unreached = (why: ServalError) => {
    failed += 1
    const pauseMs = Math.min(longestPauseMs, firstPauseMs * 2 ** failed)
    notBefore = env.now() + pauseMs * (0.5 + env.random() / 2)
    return failure('unavailable', `${address} cannot be reached: ${why.message}`, { cause: why })
  }

  const connect = async (): Promise<ClientConnection> => {
    try {
      const secret = await options.secret()
      return await new Promise<ClientConnection>((resolve, reject) => {
        const open = (pipe: Pipe) => {
          const made: ClientConnection = new ClientConnection(options, secret, pipe, (why) => {
            if (why === undefined) return resolve(made)
            connections.delete(made)
            if (current === made) current = undefined
            reject(why)
          })
          connections.add(made)
          return made.connection
        }
        dial(address, open).catch(reject)
      })
    } catch (error) {
      throw unreached(asFailure(error))
    }
  }

  const reached = async (): Promise<ClientConnection> => {
    try {
      const made = await connect()
      failed = 0
      if (over) made.connection.close(failure('cancelled', 'the link was closed'))
      else current = made
      return made
    } finally {
      connecting = undefined
    }
  }

  const connected = (signal: Signal): Promise<ClientConnection> => {
    // One that has no numbers left ends by itself, when the server has answered.
    current?.connection.tell(frame.leaving)
    current = undefined
    if (over || (connecting === undefined && env.now() < notBefore))
      return Promise.reject(failure('unavailable', `${address} cannot be reached`))
    return whileWanted((connecting ??= reached()), signal)
  }

  const callLater = async (call: Call, signed: string | Promise<string>): Promise<Reply> => {
    const token = await signed
    if (call.signal.aborted)
      throw failure('cancelled', `${call.target}: the caller gave up`, { ran: 'not-sent' })
    const connection = current?.takesMore === true ? current : await connected(call.signal)
    return connection.call(call, token)
  }

  return {
    call: (call) => {
      const token = identities.sign(call.caller, call.contract)
      return typeof token === 'string' && current?.takesMore === true && !call.signal.aborted
        ? current.call(call, token)
        : callLater(call, token)
    },
    leave: () => {
      over = true
      current = undefined
      for (const { connection } of connections)
        connection.closeAfterLast(failure('unavailable', `${address} is no longer called`))
    },
    get gone() {
      return over && connections.size === 0 && connecting === undefined
    },
    close: () => {
      over = true
      for (const { connection } of connections)
        connection.close(failure('unknown-outcome', 'this side closed the link'))
    },
  }
}
