import { schemeOf, type Certificates } from '../../link/certificates.ts'
import type { OpenTransport } from '../../link/transport.ts'
import { wireLink, type WireLink } from '../../link/wire/client.ts'
import { wireServer } from '../../link/wire/server.ts'
import { dialSocket } from './dial.ts'
import { listenSocket } from './listen.ts'

export interface WireTransportOptions {
  /** Connections are encrypted, and made only between hosts that have certificates of the same authority. */
  readonly certificates?: Certificates | undefined
}

/** Calls between hosts as frames, over one TCP connection to each. */
export const wireTransport =
  ({ certificates }: WireTransportOptions = {}): OpenTransport =>
  ({ env, log, identities, secret }) => {
    const links = new Map<string, WireLink>()
    /** Those to hosts that are no longer known, with calls under way. */
    const leaving = new Set<WireLink>()
    const dial = dialSocket(certificates)
    return {
      listen: async ({ host, port, link, leaving }) => {
        const server = wireServer({ env, log, link, identities, secret: await secret() })
        leaving.addEventListener('abort', () => server.leave(), { once: true })
        const { open } = server
        const listening = await listenSocket({ env, log, host, port, certificates, open })
        return {
          address: `${schemeOf('wire', certificates)}://${host.includes(':') ? `[${host}]` : host}:${listening.port}`,
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
      forget: (address) => {
        for (const one of leaving) if (one.gone) leaving.delete(one)
        const link = links.get(address)
        if (link === undefined) return
        links.delete(address)
        leaving.add(link)
        link.leave()
      },
      close: () => {
        for (const link of [...links.values(), ...leaving]) link.close()
      },
    }
  }
