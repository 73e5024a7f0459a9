import type { ConnectionOptions, TlsOptions } from 'node:tls'
import type { OpenTransport } from '../../link/transport.ts'
import { wireLink, type WireLink } from '../../link/wire/client.ts'
import { wireServer } from '../../link/wire/server.ts'
import { dialSocket } from './dial.ts'
import { listenSocket } from './listen.ts'

export interface WireTransportOptions {
  /** Certificates of both sides, as `node:tls` takes them; without it connections are not encrypted. */
  readonly tls?: { readonly server: TlsOptions; readonly client: ConnectionOptions }
}

/** Calls between hosts as frames, over one TCP connection to each. */
export const wireTransport =
  ({ tls }: WireTransportOptions = {}): OpenTransport =>
  ({ env, log, identities, secret }) => {
    const links = new Map<string, WireLink>()
    const dial = dialSocket(tls?.client)
    return {
      listen: async ({ host, port, link, leaving }) => {
        const server = wireServer({ env, log, link, identities, secret: await secret() })
        leaving.addEventListener('abort', () => server.leave(), { once: true })
        const { open } = server
        const listening = await listenSocket({
          host,
          port,
          open,
          ...(tls && { tls: tls.server }),
        })
        return {
          address: `wire://${host.includes(':') ? `[${host}]` : host}:${listening.port}`,
          drain: async () => {
            await Promise.all([listening.close(), server.drain()])
          },
          close: async () => {
            const closed = listening.close()
            server.close()
            await closed
          },
        }
      },
      linkTo: (address) => {
        const link = links.get(address) ?? wireLink({ env, dial, identities, secret, address })
        links.set(address, link)
        return link
      },
      close: () => {
        for (const link of links.values()) link.close()
      },
    }
  }
