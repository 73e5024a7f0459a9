import type { Message } from '../contract/index.ts'
import type { Position } from '../store/store.ts'

/** A publisher's log as its subscribers reach it: always over the publisher's link, never by its tables. */
export interface LogSource {
  /** As the publisher's `Log` reads; a publisher of an earlier release answers messages of all types. */
  read(
    after: readonly Position[],
    limit: number,
    types?: readonly string[],
  ): Promise<readonly Message[]>
  heads(): Promise<readonly Position[]>
  /** Tells the publisher how far a subscription is, so that it keeps what is still to be read. */
  report(subscription: string, positions: readonly Position[]): Promise<void>
}
