import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import type { TLSSocket, Server as TlsServer } from 'node:tls'
import {
  failedHandshake,
  keepRenewed,
  mutualTls,
  type Certificates,
  type Credentials,
} from '../../link/certificates.ts'
import { complaints } from '../../link/complaints.ts'
import { peerOf, StrangeSockets } from '../../link/strangers.ts'
import type { TransportContext } from '../../link/transport.ts'

/** Who may connect to a link's server. */
export interface LinkGuard extends Pick<TransportContext, 'env' | 'log'> {
  /** Over TLS, only who has a certificate of the same authority. */
  readonly certificates: Certificates | undefined
}

/** Keeps connections few that have sent no request. The returned function says that one has. */
export const guarded = (
  server: Server & Partial<Pick<TlsServer, 'setSecureContext'>>,
  { env, log, certificates }: LinkGuard,
): ((socket: Socket) => void) => {
  const complain = complaints(env, log)
  const strangers = new StrangeSockets(complain)
  server.on('connection', (socket: Socket) => strangers.add(socket))
  server.on('tlsClientError', (error: Error, socket: TLSSocket) => {
    complain(failedHandshake, peerOf(socket), error)
    socket.destroy()
  })
  if (certificates === undefined) return (socket) => strangers.delete(socket)
  if (server.setSecureContext === undefined)
    log.warn('this runtime takes renewed certificates of a link over HTTP at the next start only')
  else {
    const renewed = (credentials: Credentials) =>
      server.setSecureContext?.({ ...credentials, ...mutualTls })
    server.once('listening', () =>
      server.once('close', keepRenewed({ env, log }, certificates, renewed)),
    )
  }
  return (socket) => strangers.delete(socket)
}
