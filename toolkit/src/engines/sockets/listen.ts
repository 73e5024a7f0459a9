import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls'
import { failure } from '../../base/failure.ts'
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
import type { OpenPipe } from '../../link/wire/pipe.ts'
import { carry } from './pipe.ts'

export interface ListenOptions extends Pick<TransportContext, 'env' | 'log'> {
  readonly host: string
  /** 0 takes a free port. */
  readonly port: number
  /** Only who has a certificate of the same authority is let in, over TLS. */
  readonly certificates: Certificates | undefined
  readonly open: OpenPipe
}

export interface Listening {
  readonly port: number
  /** Takes no new connections; resolves when those that are open have ended. */
  close(): Promise<void>
}

const overTls = (
  { env, log }: ListenOptions,
  certificates: Certificates,
  carried: (socket: Socket) => void,
): TlsServer => {
  const complain = complaints(env, log)
  const strangers = new StrangeSockets(complain)
  const server = createTlsServer({ ...certificates.current, ...mutualTls }, (socket) => {
    strangers.delete(socket)
    carried(socket)
  })
  server.on('connection', (socket: Socket) => strangers.add(socket))
  server.on('tlsClientError', (error, socket) => {
    complain(failedHandshake, peerOf(socket), error)
    socket.destroy()
  })
  const renewed = (credentials: Credentials) =>
    server.setSecureContext({ ...credentials, ...mutualTls })
  server.once('listening', () =>
    server.once('close', keepRenewed({ env, log }, certificates, renewed)),
  )
  return server
}

/** Rejects with `cannot-start` when the address cannot be had. */
export const listenSocket = async (options: ListenOptions): Promise<Listening> => {
  const { host, port, certificates, open } = options
  const carried = (socket: Socket) => carry(socket, open)
  const server: Server =
    certificates === undefined ? createServer(carried) : overTls(options, certificates, carried)
  await new Promise<void>((resolve, reject) => {
    const fail = (cause: Error) =>
      reject(failure('cannot-start', `port ${port} on ${host}: ${cause.message}`, { cause }))
    server.once('error', fail)
    // Also in what is started as a cluster's worker: a link's port is never shared.
    server.listen({ host, port, exclusive: true }, () => {
      server.off('error', fail)
      resolve()
    })
  })
  const address = server.address()
  const closed = new Promise<void>((resolve) => server.once('close', resolve))
  return {
    port: isPlace(address) ? address.port : port,
    close: () => {
      server.close()
      return closed
    },
  }
}

const isPlace = (address: AddressInfo | string | null): address is AddressInfo =>
  typeof address === 'object' && address !== null
