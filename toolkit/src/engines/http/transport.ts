import { defaultHttpLimits } from '../../link/http.ts'
import { httpLink } from '../../link/http-link.ts'
import { httpLinkServer } from '../../link/http-link-server.ts'
import type { OpenTransport } from '../../link/transport.ts'
import { listenHttp } from './node.ts'
import { sendHttp } from './send.ts'

const maxBodyBytes = 16 * 1024 * 1024

/** Calls between hosts over HTTP/1.1, which anyone can speak. */
export const httpTransport =
  (): OpenTransport =>
  ({ env, log, identities }) => {
    const { send, close } = sendHttp()
    return {
      listen: async ({ host, port, link, leaving }) => {
        const server = await listenHttp({
          host,
          port,
          limits: { ...defaultHttpLimits, maxBodyBytes },
          handle: httpLinkServer({ env, log, link, identities, leaving }),
          refuse: (status) => ({ status, headers: {} }),
        })
        const name = host.includes(':') ? `[${host}]` : host
        return {
          address: `http://${name}:${server.port}`,
          drain: () => server.drain(),
          close: () => server.close(),
        }
      },
      linkTo: (address) => httpLink({ env, send, identities, address }),
      close,
    }
  }
