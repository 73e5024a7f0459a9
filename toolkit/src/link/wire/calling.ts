import { failure, ServalError } from '../../base/failure.ts'
import type { Call, Reply } from '../call.ts'
import type { Connection } from './connection.ts'
import { readFailure, readRemembered, readValue } from './encoding.ts'
import { frame, misspoken } from './frames.ts'
import { costOf, Stream } from './stream.ts'

/** A feed that was answered. */
interface Feeding {
  readonly items: Uint8Array[]
  /** Who waits for the next one. */
  readonly waiting: (() => void)[]
  /** Why it ended too early, until its reader was told. */
  failed: unknown
}

/** A call that a client waits for, and then the feed that it listens to. */
export class Calling extends Stream {
  readonly #connection: Connection
  readonly #call: Call
  readonly #resolve: (reply: Reply) => void
  readonly #reject: (error: unknown) => void
  #feeding: Feeding | undefined = undefined
  #ended = false

  constructor(
    id: number,
    connection: Connection,
    call: Call,
    resolve: (reply: Reply) => void,
    reject: (error: unknown) => void,
  ) {
    super(id)
    this.#connection = connection
    this.#call = call
    this.#resolve = resolve
    this.#reject = reject
    call.signal.addEventListener('abort', this)
  }

  /** The caller gave up. */
  handleEvent(): void {
    const { signal, target } = this.#call
    const reason: unknown = signal.reason
    this.#cancel(
      reason instanceof ServalError
        ? reason
        : failure('cancelled', `${target}: the caller gave up`, { cause: reason }),
    )
  }

  override received(type: number, payload: Uint8Array): void {
    if (this.#feeding !== undefined) return this.#receivedOfFeed(this.#feeding, type, payload)
    switch (type) {
      case frame.value:
        return this.#answered({ value: readValue(payload) })
      case frame.nothing:
        return this.#answered({ value: undefined })
      case frame.remembered:
        return this.#answered({ remembered: readRemembered(payload) })
      case frame.failed:
        return this.fail(readFailure(payload))
      case frame.feed:
        this.#feeding = { items: [], waiting: [], failed: undefined }
        return this.#resolve({ value: this.#feed(this.#feeding) })
    }
    throw misspoken(`a frame of the type ${type} answers no call`)
  }

  override cancelled(): void {
    throw misspoken('a server cancels no calls')
  }

  override overfull(maxBytes: number): void {
    const { target } = this.#call
    this.#cancel(
      failure('internal', `${target}: a reply over a link has at most ${maxBytes} bytes`, {
        ran: 'ran',
      }),
    )
  }

  fail(error: unknown): void {
    this.#over()
    if (this.#feeding === undefined) return this.#reject(error)
    this.#feeding.failed = error
    this.#wake(this.#feeding)
  }

  /** The connection ended. */
  broken(why: ServalError): void {
    const { target } = this.#call
    const sent = this.#connection.wasTaken(this)
    this.fail(
      failure(sent ? 'unknown-outcome' : 'unavailable', `${target}: ${why.message}`, {
        cause: why,
      }),
    )
  }

  #answered(reply: Reply): void {
    this.#over()
    this.#resolve(reply)
  }

  #cancel(error: unknown): void {
    this.#connection.cancel(this)
    this.fail(error)
  }

  #over(): void {
    this.#ended = true
    this.#call.signal.removeEventListener('abort', this)
    this.#connection.end(this)
  }

  #receivedOfFeed(feeding: Feeding, type: number, payload: Uint8Array): void {
    if (type === frame.item) {
      feeding.items.push(payload.slice())
      this.held += costOf(payload.length)
    } else if (type === frame.end) this.#over()
    else if (type === frame.failed) return this.fail(readFailure(payload))
    else throw misspoken(`a frame of the type ${type} is no part of a feed`)
    this.#wake(feeding)
  }

  #read({ items }: Feeding, item: Uint8Array): unknown {
    try {
      return readValue(item)
    } catch (cause) {
      const { target } = this.#call
      items.length = 0
      this.#cancel(undefined)
      throw failure('internal', `${target}: an item of the feed is not one`, { cause })
    }
  }

  #wake({ waiting }: Feeding): void {
    for (const go of waiting.splice(0)) go()
  }

  #feed(feeding: Feeding): AsyncIterableIterator<unknown> {
    const { items, waiting } = feeding
    const next = async (): Promise<IteratorResult<unknown, undefined>> => {
      for (;;) {
        const item = items.shift()
        if (item !== undefined) {
          this.held -= costOf(item.length)
          this.#connection.consumed(this)
          return { done: false, value: this.#read(feeding, item) }
        }
        if (feeding.failed !== undefined) {
          const { failed } = feeding
          feeding.failed = undefined
          throw failed
        }
        if (this.#ended) return { done: true, value: undefined }
        await new Promise<void>((resolve) => waiting.push(resolve))
      }
    }
    const leave = (): Promise<IteratorResult<unknown, undefined>> => {
      items.length = 0
      if (!this.#ended) this.#cancel(undefined)
      return Promise.resolve({ done: true, value: undefined })
    }
    return { next, return: leave, [Symbol.asyncIterator]: () => this.#feed(feeding) }
  }
}
