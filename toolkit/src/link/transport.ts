import type { Env } from '../base/env.ts'
import { failure } from '../base/failure.ts'
import type { Logger } from '../telemetry/log.ts'
import type { Link } from './call.ts'
import type { Identities } from './identity.ts'

/** What a transport needs of its host. */
export interface TransportContext {
  readonly env: Env
  readonly log: Logger
  readonly identities: Identities
  /** What all hosts of the fleet share, and nobody else. */
  readonly secret: () => Promise<Uint8Array>
}

export interface TransportListening {
  readonly host: string
  /** 0 takes a free port. */
  readonly port: number
  /** Reaches the services of this host. */
  readonly link: Link
  /** Aborts when the host stops: new calls are refused as not sent, and feeds end, so that their callers go on at another host. */
  readonly leaving: AbortSignal
}

export interface TransportServer {
  /** How others reach it: scheme, host and port. */
  readonly address: string
  /** Takes no new connections; resolves when what has begun is answered. */
  drain(): Promise<void>
  /** Ends every connection at once. */
  close(): Promise<void>
}

/** How the hosts of a fleet call each other. */
export interface Transport {
  /** Rejects with `cannot-start` when the address cannot be had. */
  listen(options: TransportListening): Promise<TransportServer>
  linkTo(address: string): Link
  /** No host is known there any more: its link takes no new calls, and ends after those under way. */
  forget(address: string): void
  /** Ends the links' connections. */
  close(): void
}

export type OpenTransport = (context: TransportContext) => Transport

/**
 * Listens with the transport of one scheme, and calls each host with that of its address: hosts of a fleet can be moved from one
 * to another, one after the other.
 */
export const transports =
  (all: Readonly<Record<string, OpenTransport>>, scheme: string): OpenTransport =>
  (context) => {
    const opened = new Map(Object.entries(all).map(([name, open]) => [name, open(context)]))
    const named = (name: string): Transport => {
      const transport = opened.get(name)
      if (transport !== undefined) return transport
      const known = [...opened.keys()].join(' or ')
      throw failure('misconfigured', `hosts are linked over ${known}, not over ${name}`)
    }
    const own = named(scheme)
    return {
      listen: (options) => own.listen(options),
      // An encrypted way is the same one: `wires`, `https`.
      linkTo: (address) => named(new URL(address).protocol.replace(/s?:$/, '')).linkTo(address),
      forget: (address) => {
        for (const transport of opened.values()) transport.forget(address)
      },
      close: () => {
        for (const transport of opened.values()) transport.close()
      },
    }
  }
