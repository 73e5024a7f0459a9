import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TlsOptions } from 'node:tls'
import { failure } from '../../base/failure.ts'
import type { OpenPipe } from '../../link/wire/pipe.ts'
import { carry } from './pipe.ts'

export interface ListenOptions {
  readonly host: string
  /** 0 takes a free port. */
  readonly port: number
  readonly tls?: TlsOptions
  readonly open: OpenPipe
}

export interface Listening {
  readonly port: number
  /** Takes no new connections; resolves when those that are open have ended. */
  close(): Promise<void>
}

/** Rejects with `cannot-start` when the address cannot be had. */
export const listenSocket = async ({
  host,
  port,
  tls,
  open,
}: ListenOptions): Promise<Listening> => {
  const carried = (socket: Socket) => carry(socket, open)
  const server: Server = tls === undefined ? createServer(carried) : createTlsServer(tls, carried)
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
