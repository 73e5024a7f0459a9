import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { setImmediate as turn, setTimeout as pause } from 'node:timers/promises'
import { failure } from '../../base/failure.ts'
import { mutualTls } from '../../link/certificates.ts'
import { HttpRefusal } from '../../link/http.ts'
import type {
  HttpLimits,
  HttpReply,
  HttpServer,
  HttpServerOptions,
  ListenHttp,
} from '../../link/http.ts'
import { Connection } from './connection.ts'
import { guarded, type LinkGuard } from './link-guard.ts'
import { abandon, isStream, rawReply, sendReply } from './reply.ts'
import { IncomingRequest, readFields, refusalOf } from './request.ts'

/*
 * One server for both runtimes, over node:http. The runtime's parser reads the bytes and is strict
 * about them; refusalOf adds what it lets pass. A request that never became one is refused on the
 * socket itself, after the replies that are due before it (Connection); everything else goes
 * through node:http, which keeps the order of pipelined replies.
 *
 * Why not Bun.serve on Bun (1.4.5, measured): it drops a connection on which a second request
 * arrives while the first is being answered, so that the reply to a request that ran is lost; it
 * resolves `..` in the target before anyone sees it; a client that is slow with its headers is cut
 * without a word after some 12 s, whatever the limit; it answers broken framing, 413 and 431 with
 * empty replies of its own, and closes over a body that is still arriving, so that many a client
 * never sees its 413. For a small JSON reply it takes some 13 µs of processor time, node:http on
 * Bun 14, this server 16 (on Node: 17 and 19).
 *
 * What still differs between the runtimes: Bun answers `OPTIONS *` with 400. On Bun the kernel
 * holds a connection back until its first byte, so that a silent one is never seen, nor closed by
 * drain().
 */
export const listenHttp: ListenHttp = (options) => listen(options)

/** The same for the link between hosts, whose clients are known to each other. */
export const listenLink =
  (guard: LinkGuard): ListenHttp =>
  (options) =>
    listen(options, guard)

const listen = async (options: HttpServerOptions, guard?: LinkGuard): Promise<HttpServer> => {
  const { limits } = options
  const certificates = guard?.certificates
  const connections = new Map<Socket, Connection>()
  const owner = { refuse: options.refuse, draining: false }
  /** Connections and requests so far. */
  let came = 0

  const settings = {
    // Enough for both limits together, so that the exact ones are applied (and told apart) in
    // refusalOf.
    maxHeaderSize: limits.maxHeaderBytes + limits.maxTargetBytes + 64,
    requestTimeout: limits.requestTimeoutMs,
    headersTimeout: limits.requestTimeoutMs,
    connectionsCheckingInterval: Math.max(10, Math.min(1000, limits.requestTimeoutMs / 4)),
    // Longer than the minute for which load balancers keep theirs, or they would write into a
    // closing one.
    keepAliveTimeout: 65_000,
    requireHostHeader: false,
  }
  const server =
    certificates === undefined
      ? createServer(settings)
      : createTlsServer({ ...settings, ...certificates.current, ...mutualTls })
  const met = guard && guarded(server, guard)
  // Counted in refusalOf: node:http would drop the fields past its own count without a word.
  server.maxHeadersCount = 0

  const receive = (
    message: IncomingMessage,
    response: ServerResponse,
    invite?: () => void,
  ): void => {
    came += 1
    met?.(message.socket)
    const connection = connections.get(message.socket)
    // After a refusal nothing may run: the client was told that it did not.
    if (connection === undefined || connection.closing) return void message.resume()
    const head = message.method === 'HEAD'
    const fields = readFields(message.rawHeaders)
    const refused = refusalOf(message, fields, limits)
    if (refused !== undefined) {
      message.resume()
      return connection.refuse(refused, head)
    }
    const { remoteAddress } = connection
    const request = new IncomingRequest(message, fields, remoteAddress, limits.maxBodyBytes, invite)
    connection.begin(request)
    response.on('close', () => {
      if (!response.writableFinished && !connection.lingering) request.leave()
      connection.end()
    })
    void answer(connection, request, response, head)
  }

  const answer = async (
    connection: Connection,
    request: IncomingRequest,
    response: ServerResponse,
    head: boolean,
  ): Promise<void> => {
    let reply: HttpReply
    let close = false
    try {
      reply = await options.handle(request)
    } catch (error) {
      reply = options.refuse(error instanceof HttpRefusal ? error.status : 500)
      close = true
    }
    if (response.destroyed) return abandon(reply)
    if (reply.last === true) request.forget()
    const alone = connection.pending === 1
    // Pipelined requests behind this one have begun too, so that only the last reply ends the
    // connection.
    close ||= reply.last === true || request.endsConnection || (owner.draining && alone)
    if (close) connection.takeNoMore()
    try {
      // A body may still be arriving, and node:http would close over it.
      if (request.endsConnection && alone && !isStream(reply.body)) {
        connection.linger(rawReply(reply, head))
      } else sendReply(response, reply, head, close)
    } catch {
      // A header that cannot be sent.
      connection.takeNoMore()
      if (response.headersSent) response.destroy()
      else sendReply(response, options.refuse(500), head, true)
    }
  }

  server.on(certificates === undefined ? 'connection' : 'secureConnection', (socket: Socket) => {
    came += 1
    connections.set(socket, new Connection(socket, owner))
    socket.once('close', () => connections.delete(socket))
  })
  server.on('request', (message, response) => receive(message, response))
  server.on('checkContinue', (message: IncomingMessage, response: ServerResponse) =>
    receive(message, response, () => response.writeContinue()),
  )
  // RFC 9110, 10.1.1: other expectations may be ignored.
  server.on('checkExpectation', (message, response) => receive(message, response))
  server.on('connect', (message: IncomingMessage) =>
    connections.get(message.socket)?.refuse(501, false),
  )
  server.on('clientError', (error: ClientError, socket) => {
    const connection = connections.get(socket as Socket)
    // The parser complains again about each packet after the one that broke it.
    if (connection?.closing === true) return
    if (connection === undefined || !socket.writable) return void socket.destroy()
    const status = statusOf(error, limits)
    const { latest } = connection
    if (latest?.receiving !== true) return connection.refuse(status, false)
    // Its handler answers, in its place in the order; if it has answered, there is nothing left to
    // say.
    connection.takeNoMore()
    latest.failBody(status)
    if (connection.pending === 0) connection.linger()
  })

  const closed = new Promise<void>((resolve) => server.once('close', resolve))
  let closing = false
  const stop = (ends: (connection: Connection) => boolean): Promise<void> => {
    if (!closing) server.close()
    closing = true
    owner.draining = true
    for (const connection of connections.values()) if (ends(connection)) connection.destroy()
    return closed
  }

  /** Another process takes over: clients come to it by and by, each after a last reply here. */
  const handOver = async (): Promise<void> => {
    if (options.shared !== true || owner.draining || connections.size === 0) return
    owner.draining = true
    let gone = false
    void closed.then(() => (gone = true))
    const begun = performance.now()
    const past = (ms: number) => performance.now() - begun > ms
    for (
      let seen = -1;
      !gone && !past(longestHandOverMs) && (!past(handOverMs) || seen !== came);
    ) {
      seen = came
      await Promise.race([closed, pause(quietMs)])
    }
    // What has arrived since the last turn would be cut unread.
    for (let seen = -1; !gone && seen !== came;) {
      seen = came
      await turn()
    }
  }

  await new Promise<void>((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException) => reject(cannotListen(error, options))
    try {
      server.once('error', fail)
      server.listen(
        { host: options.host, port: options.port, reusePort: options.shared === true },
        () => {
          server.off('error', fail)
          resolve()
        },
      )
    } catch (error) {
      fail(error as NodeJS.ErrnoException)
    }
  })
  return {
    host: options.host,
    port: (server.address() as AddressInfo).port,
    drain: async () => {
      await handOver()
      await stop((connection) => connection.idle)
    },
    close: () => stop(() => true),
  }
}

/** Clients of a shared address may send a last request: for a second, and as long as some do, for five. */
const handOverMs = 1_000
const longestHandOverMs = 5_000
const quietMs = 100

interface ClientError extends Error {
  readonly code?: string
  readonly rawPacket?: Buffer
}

const statusOf = ({ code, rawPacket }: ClientError, limits: HttpLimits): number => {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return 408
  if (code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW') return 413
  const packet = rawPacket?.toString('latin1') ?? ''
  if (code === 'HPE_INVALID_VERSION') return /^\S+ \S+ HTTP\/\d\.\d\r\n/.test(packet) ? 505 : 400
  if (code !== 'HPE_HEADER_OVERFLOW') return 400
  // The parser counts both together. A target that came in pieces counts as a header.
  const target = /^[A-Z-]+ (\S+)/.exec(packet)?.[1] ?? ''
  return target.length > limits.maxTargetBytes ? 414 : 431
}

const cannotListen = (error: NodeJS.ErrnoException, { host, port }: HttpServerOptions) => {
  const where = `port ${port} on ${host}`
  const say = (detail: string) => failure('cannot-start', detail, { cause: error })
  switch (error.code) {
    case 'EADDRINUSE':
      return say(`${where} is in use; stop what uses it or set another port`)
    case 'EACCES':
      return say(`${where} is not allowed to this user; set a port above 1023`)
    case 'ERR_SOCKET_BAD_PORT':
    case 'ERR_OUT_OF_RANGE':
      return say(`${where} is not a port; set one from 0 (any free one) to 65535`)
    // Bun says ENOTCONN for a name that does not resolve.
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'ENOTCONN':
    case 'EADDRNOTAVAIL':
      return say(
        `${where}: the host is not an address of this machine; set 127.0.0.1, 0.0.0.0 or one that it has`,
      )
    default:
      return say(`${where} cannot be opened: ${error.message}; set another host or port`)
  }
}
