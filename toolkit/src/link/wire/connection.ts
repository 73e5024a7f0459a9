import type { Env } from '../../base/env.ts'
import { asFailure, failure, type ServalError } from '../../base/failure.ts'
import { failureText, identityBytes, readFailure, readToken } from './encoding.ts'
import { frame, FrameReader, maxPayloadBytes, misspoken, numberIn, unfinished } from './frames.ts'
import { Handshake, type Side } from './handshake.ts'
import { Outbox } from './outbox.ts'
import type { Pipe, PipeEvents } from './pipe.ts'
import { windowBytes, type Stream } from './stream.ts'

/*
 * One side of a connection between two hosts. The client opens streams, one for each call; the server answers on them. Both sides ping after five
 * seconds of silence, and take a peer for gone that says nothing, or takes nothing, for fifteen. Memory is bounded: a stream has a window
 * (stream.ts), a server has at most so many streams and bytes of calls that are not complete, and reads no more while the client does not
 * take what it may be sent without a word. A client always reads, so that two sides never wait for each other.
 */

const beatMs = 5_000
const silentBeats = 3
export const maxStreams = 2_048
export const maxMessageBytes = 16 * 1024 * 1024
const maxPartialBytes = 64 * 1024 * 1024
/** A server stops reading calls above, and goes on below. */
const backlogBytes = { most: 1024 * 1024, least: 256 * 1024 }
/** As much goes out before the turn of the event loop ends, so that the other side works on it while this one goes on. */
const earlyBytes = 2_560
const maxHelloBytes = 1024
/** Of what a peer says when it ends a connection. */
const maxWords = 200

/** Whose connection it is. */
export interface ConnectionOwner {
  ready(): void
  /** The peer begins a call. Throws where nobody may. */
  accept(id: number): Stream
  identity(number: number, token: string): void
  /** The peer takes no new calls. */
  leaving(): void
  /** It is over; streams are still there to ask whether they were sent. */
  closed(why: ServalError): void
  /** Nothing is left of it, also not to say the last word. */
  gone(): void
}

export interface ConnectionOptions {
  readonly env: Env
  readonly side: Side
  readonly secret: Uint8Array
  readonly pipe: Pipe
  readonly owner: ConnectionOwner
}

export class Connection implements PipeEvents {
  readonly streams = new Map<number, Stream>()
  readonly #env: Env
  readonly #side: Side
  readonly #pipe: Pipe
  readonly #owner: ConnectionOwner
  readonly #handshake: Handshake
  readonly #reader = new FrameReader(maxHelloBytes)
  readonly #outbox: Outbox
  #state: 'greeting' | 'proving' | 'ready' | 'closed' = 'greeting'
  #lastStream = 0
  #partial = 0
  #reading = true
  #pongDue = false
  #heard = true
  #silent = 0
  #woken = false
  #stuck = 0
  #forgetBeat: () => void
  /** Why it ends with its last stream. */
  #last: ServalError | undefined

  constructor({ env, side, secret, pipe, owner }: ConnectionOptions) {
    this.#env = env
    this.#side = side
    this.#pipe = pipe
    this.#owner = owner
    this.#handshake = new Handshake(side, secret, env.bytes(Handshake.nonceBytes))
    this.#outbox = new Outbox(() => {
      if (this.#woken || this.#state === 'closed') return
      this.#woken = true
      pipe.wake()
    })
    this.#forgetBeat = env.after(beatMs, this.#beat)
    if (side === 'client') this.#outbox.control(frame.hello, 0, this.#handshake.hello())
  }

  get open(): boolean {
    return this.#state === 'ready'
  }

  /** Adds a stream of this side's. */
  begin(stream: Stream): void {
    this.#lastStream = stream.id
    this.streams.set(stream.id, stream)
  }

  send(stream: Stream, type: number, content?: string | Uint8Array): void {
    if (this.#state !== 'ready' || this.streams.get(stream.id) !== stream) return
    this.#outbox.send(stream, type, content)
    if (this.#outbox.ready >= earlyBytes) this.#pipe.flush()
    this.#pauseIfBehind()
  }

  /** Resolves when what was sent on the stream has left, or the stream is over. */
  sent(stream: Stream): Promise<void> | undefined {
    if (stream.outgoing.length === 0) return undefined
    return new Promise((resolve) => {
      stream.sent = () => {
        stream.sent = undefined
        resolve()
      }
    })
  }

  /** Somebody read some of what a stream holds. */
  consumed(stream: Stream): void {
    if (this.#state === 'ready' && this.streams.has(stream.id)) this.#outbox.grant(stream)
  }

  /** Tells the other side, when it hears of the stream at all, that nobody waits for it. */
  cancel(stream: Stream): void {
    if (this.#outbox.hasBegun(stream)) this.tell(frame.cancel, stream.id)
  }

  tell(type: number, stream = 0): void {
    if (this.#state === 'ready') this.#outbox.control(type, stream)
  }

  introduce(number: number, token: string): void {
    this.#outbox.control(frame.identity, 0, identityBytes(number, token))
  }

  /** A stream is over; what waits on it is not sent. */
  end(stream: Stream): void {
    this.#outbox.drop(stream)
    if (this.streams.delete(stream.id)) this.#partial -= stream.partial
    this.#endIfLast()
  }

  /** Ends the connection when no stream is left; none must begin any more. */
  closeAfterLast(why: ServalError): void {
    this.#last = why
    this.#endIfLast()
  }

  wasTaken(stream: Stream): boolean {
    return this.#outbox.wasTaken(stream)
  }

  /** Ends the connection, telling why if there is something to tell. */
  close(why: ServalError, tell = false): void {
    if (this.#state === 'closed') return
    if (tell) {
      this.#outbox.control(frame.refused, 0, new TextEncoder().encode(failureText(why)))
    }
    const last = this.#outbox.take()
    this.#over(why)
    this.#pipe.end(last ?? new Uint8Array(0))
  }

  /** Ends the connection without a word. */
  cut(why: ServalError): void {
    if (this.#state !== 'closed') this.#over(why)
    this.#pipe.destroy()
  }

  take(): Uint8Array | undefined {
    if (this.#state === 'closed') return undefined
    this.#woken = false
    this.#stuck = 0
    if (this.#pongDue) this.#outbox.control(frame.pong)
    this.#pongDue = false
    const bytes = this.#outbox.take()
    if (!this.#reading && this.#outbox.backlog < backlogBytes.least) this.#read(true)
    return bytes
  }

  received(bytes: Uint8Array): void {
    if (this.#state === 'closed') return
    this.#heard = true
    try {
      this.#reader.read(bytes, this.#takeFrame)
      this.#pauseIfBehind()
    } catch (error) {
      this.close(asFailure(error), true)
    }
  }

  closed(cause: Error | undefined): void {
    this.#owner.gone()
    if (this.#state === 'closed') return
    const within = this.#state === 'ready' ? '' : ' within its handshake'
    this.#over(failure('unknown-outcome', `the connection broke${within}`, { cause }))
  }

  readonly #takeFrame = (type: number, id: number, payload: Uint8Array): boolean => {
    if (type === frame.refused) this.#refused(payload)
    else if (this.#state === 'ready') this.#frame(type, id, payload)
    else this.#greet(type, payload)
    return this.#state !== 'closed'
  }

  #greet(type: number, payload: Uint8Array): void {
    const expected = this.#state === 'greeting' ? frame.hello : frame.proof
    if (type !== expected) throw misspoken('a connection begins with a handshake')
    if (type === frame.proof) {
      this.#handshake.check(payload)
    } else {
      this.#handshake.heard(payload)
      if (this.#side === 'server') {
        this.#state = 'proving'
        return this.#outbox.control(frame.hello, 0, this.#handshake.hello())
      }
      this.#outbox.control(frame.proof, 0, this.#handshake.proof())
    }
    this.#state = 'ready'
    this.#reader.limit = maxPayloadBytes
    this.#owner.ready()
  }

  #refused(payload: Uint8Array): void {
    const told = readFailure(payload)
    this.cut(misspoken(`the other side ended it: ${told.message.slice(0, maxWords)}`))
  }

  #frame(type: number, id: number, payload: Uint8Array): void {
    switch (type) {
      case frame.ping:
        this.#pongDue = true
        return this.#outbox.nudge()
      case frame.pong:
        return
      case frame.leaving:
        return this.#owner.leaving()
      case frame.identity:
        return this.#owner.identity(numberIn(payload, 'an identity'), readToken(payload))
      case frame.credit: {
        const stream = this.#streamOf(id)
        if (stream !== undefined) this.#credit(stream, numberIn(payload, 'a credit'))
        return
      }
      case frame.cancel:
        return this.#streamOf(id)?.cancelled()
    }
    this.#message(type, id, payload)
  }

  #credit(stream: Stream, more: number): void {
    if (stream.credit + more > windowBytes)
      throw misspoken(`the stream ${stream.id} was given more credit than a window has`)
    this.#outbox.credit(stream, more)
  }

  /** Undefined for a stream that is over. */
  #streamOf(id: number): Stream | undefined {
    const stream = this.streams.get(id)
    if (stream === undefined && (id === 0 || id > this.#lastStream))
      throw misspoken(`there is no stream ${id}`)
    return stream
  }

  #message(type: number, id: number, payload: Uint8Array): void {
    const begins = type === frame.call || type === frame.call + unfinished
    const stream = begins ? this.#accept(id) : this.#streamOf(id)
    if (stream === undefined) return
    this.#partial -= stream.partial
    stream.take(type, payload, maxMessageBytes)
    if (this.streams.get(id) !== stream) return
    this.#partial += stream.partial
    if (this.#side === 'server' && this.#partial > maxPartialBytes) {
      this.#overloaded(stream.id)
      return this.end(stream)
    }
    this.#outbox.grant(stream)
  }

  #accept(id: number): Stream | undefined {
    if (id <= this.#lastStream) throw misspoken(`a call came on the stream ${id}, which is not new`)
    const stream = this.#owner.accept(id)
    this.#lastStream = id
    if (this.streams.size >= maxStreams) {
      this.#overloaded(id)
      return undefined
    }
    this.streams.set(id, stream)
    return stream
  }

  #overloaded(id: number): void {
    const failed = failure('overloaded', 'more calls came over one connection than it may have')
    this.#outbox.control(frame.failed, id, new TextEncoder().encode(failureText(failed)))
  }

  #pauseIfBehind(): void {
    if (this.#side === 'server' && this.#outbox.backlog > backlogBytes.most) this.#read(false)
  }

  #read(on: boolean): void {
    if (this.#reading === on) return
    this.#reading = on
    // What comes after the pause is no silence before it.
    this.#heard = true
    this.#pipe.read(on)
  }

  readonly #beat = (): void => {
    const silent = !this.#heard && this.#reading
    this.#silent = silent ? this.#silent + 1 : 0
    this.#heard = false
    if (this.#woken) this.#stuck += 1
    const shaken = this.#state === 'ready'
    if (!shaken || this.#silent >= silentBeats || this.#stuck >= silentBeats) {
      const what = shaken ? 'is silent' : 'does not finish its handshake'
      const why = `the other side ${what}; the connection is given up`
      return this.cut(failure('deadline-exceeded', why))
    }
    if (silent) this.#outbox.control(frame.ping)
    this.#forgetBeat = this.#env.after(beatMs, this.#beat)
  }

  #endIfLast(): void {
    if (this.#last !== undefined && this.streams.size === 0) this.close(this.#last)
  }

  #over(why: ServalError): void {
    this.#state = 'closed'
    this.#forgetBeat()
    this.#owner.closed(why)
    for (const stream of this.streams.values()) this.#outbox.drop(stream)
    this.streams.clear()
  }
}
