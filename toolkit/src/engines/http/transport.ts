import { defaultHttpLimits } from '../../link/http.ts'
import { schemeOf, type Certificates } from '../../link/certificates.ts'
import { httpLink, maxMessageBytes } from '../../link/http-link.ts'
import { httpLinkServer, refuseCall } from '../../link/http-link-server.ts'
import type { OpenTransport } from '../../link/transport.ts'
import { listenLink } from './node.ts'
import { sendHttp } from './send.ts'

export interface HttpTransportOptions {
  /** Connections are encrypted, and made only between hosts that have certificates of the same authority. */
  readonly certificates?: Certificates | undefined
}

/** Calls between hosts over HTTP/1.1, which anyone can speak. */
export const httpTransport =
  ({ certificates }: HttpTransportOptions = {}): OpenTransport =>
  ({ env, log, identities }) => {
    const { send, close } = sendHttp(certificates)
    const listenHttp = listenLink({ env, log, certificates })
    return {
      listen: async ({ host, port, link, leaving }) => {
        const server = await listenHttp({
          host,
          port,
          limits: { ...defaultHttpLimits, maxBodyBytes: maxMessageBytes },
          handle: httpLinkServer({ env, log, link, identities, leaving }),
          refuse: refuseCall,
        })
        const name = host.includes(':') ? `[${host}]` : host
        return {
          address: `${schemeOf('http', certificates)}://${name}:${server.port}`,
          drain: () => server.drain(),
          close: () => server.close(),
        }
      },
      linkTo: (address) => httpLink({ env, send, identities, address }),
      // A link holds nothing, and an idle connection ends after half a minute.
      forget: () => undefined,
      close,
    }
  }
