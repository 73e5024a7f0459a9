import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { failure } from '../../base/failure.ts'
import { mutualTls, refusedScheme, schemeOf, type Certificates } from '../../link/certificates.ts'
import type { Dial } from '../../link/wire/pipe.ts'
import { carry } from './pipe.ts'

const connectMs = 5_000

const placeOf = (address: string) => {
  const { hostname, port } = new URL(address)
  return { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(port) }
}

const { minVersion, rejectUnauthorized } = mutualTls
// The authority is the fleet's own; hosts come and go, under whatever names.
const checkServerIdentity = () => undefined

/** Connects over TCP, or, with certificates, over TLS. */
export const dialSocket =
  (certificates: Certificates | undefined): Dial =>
  (address, open) =>
    new Promise((resolve, reject) => {
      const refused = refusedScheme(address, schemeOf('wire', certificates))
      if (refused !== undefined) return reject(refused)
      const place = placeOf(address)
      const socket: Socket =
        certificates === undefined
          ? connect(place)
          : connectTls({
              ...certificates.current,
              ...place,
              minVersion,
              rejectUnauthorized,
              checkServerIdentity,
            })
      const fail = (cause?: Error) => {
        clearTimeout(late)
        socket.destroy()
        const why = cause?.message ?? `no connection within ${connectMs} ms`
        reject(failure('unavailable', `${address}: ${why}`, { cause }))
      }
      const late = setTimeout(() => fail(), connectMs)
      socket.on('error', fail)
      socket.once(certificates === undefined ? 'connect' : 'secureConnect', () => {
        clearTimeout(late)
        socket.off('error', fail)
        carry(socket, open)
        resolve()
      })
    })
