import { connect, type Socket } from 'node:net'
import { connect as connectTls, type ConnectionOptions } from 'node:tls'
import { failure } from '../../base/failure.ts'
import type { Dial } from '../../link/wire/pipe.ts'
import { carry } from './pipe.ts'

const connectMs = 5_000

const placeOf = (address: string) => {
  const { hostname, port } = new URL(address)
  return { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(port) }
}

/** Connects over TCP, or, with `tls`, over TLS. */
export const dialSocket =
  (tls?: ConnectionOptions): Dial =>
  (address, open) =>
    new Promise((resolve, reject) => {
      const place = placeOf(address)
      const socket: Socket = tls === undefined ? connect(place) : connectTls({ ...tls, ...place })
      const fail = (cause?: Error) => {
        clearTimeout(late)
        socket.destroy()
        const why = cause?.message ?? `no connection within ${connectMs} ms`
        reject(failure('unavailable', `${address}: ${why}`, { cause }))
      }
      const late = setTimeout(() => fail(), connectMs)
      socket.on('error', fail)
      socket.once(tls === undefined ? 'connect' : 'secureConnect', () => {
        clearTimeout(late)
        socket.off('error', fail)
        carry(socket, open)
        resolve()
      })
    })
