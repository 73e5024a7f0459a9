import type { Socket } from 'node:net'

/** What the driver holds back until the turn's end when it is shorter; what is longer it writes at once. */
const held = 1024

/**
 * Has the parts that the driver writes in one turn of the event loop be one write to the system, which is what a round trip costs most. The
 * driver's last part in a turn is a short one, unless its parts end there by chance.
 */
export const coalesced = <S extends Socket>(socket: S): S => {
  const write = socket.write.bind(socket) as (bytes: Uint8Array, done?: () => void) => boolean
  let parts: Uint8Array[] = []
  let scheduled = false
  const flush = (done?: () => void): boolean => {
    const all = parts
    parts = []
    if (all.length === 0) return true
    return write(all.length === 1 ? all[0]! : Buffer.concat(all), done)
  }
  const later = () => {
    scheduled = false
    flush()
  }
  return Object.assign(socket, {
    write: (bytes: Uint8Array, done?: () => void): boolean => {
      parts.push(bytes)
      if (done !== undefined || bytes.length < held) return flush(done)
      // Behind what the driver has left for the end of this turn.
      if (!scheduled) setImmediate(() => setImmediate(later))
      scheduled = true
      return true
    },
  })
}
