/** The bytes of one connection, as an engine carries them. */
export interface Pipe {
  /** The other side's address, for the log. */
  readonly peer: string
  /** Says that there is something to take. `take` is called once for all that is said in a turn of the event loop, and not while the other side is slow. */
  wake(): void
  /** Has it taken at once, unless the other side is slow. */
  flush(): void
  /** Whether to go on reading. */
  read(on: boolean): void
  /** Sends these last bytes and ends, at the latest after two seconds. */
  end(last: Uint8Array): void
  destroy(): void
}

/** What a connection's bytes are for. */
export interface PipeEvents {
  /** What is to be sent; undefined for nothing. */
  take(): Uint8Array | undefined
  /** The bytes are valid during the call. */
  received(bytes: Uint8Array): void
  closed(cause: Error | undefined): void
}

export type OpenPipe = (pipe: Pipe) => PipeEvents

/** Connects to an address; `open` is called once, when there is a connection. Rejects with `unavailable` when none comes about. Engines implement it. */
export type Dial = (address: string, open: OpenPipe) => Promise<void>
