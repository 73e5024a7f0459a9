import type { Socket } from 'node:net'
import { peerOf } from '../../link/strangers.ts'
import type { OpenPipe, Pipe } from '../../link/wire/pipe.ts'

const lingerMs = 2_000

/**
 * Carries a connection over a socket: one write for all that is said in a turn of the event loop, or a few when that is much, and none while the
 * kernel takes no more.
 */
export const carry = (socket: Socket, open: OpenPipe): void => {
  let scheduled = false
  let full = false
  let over = false
  let cause: Error | undefined

  const flush = () => {
    if (full || over) return
    const bytes = events.take()
    if (bytes !== undefined) full = !socket.write(bytes)
  }
  const pipe: Pipe = {
    peer: peerOf(socket),
    wake: () => {
      if (scheduled || full || over) return
      scheduled = true
      setImmediate(() => {
        scheduled = false
        flush()
      })
    },
    flush,
    read: (on) => void (on ? socket.resume() : socket.pause()),
    end: (last) => {
      over = true
      socket.end(last)
      // Who still sends would otherwise keep it open.
      socket.resume()
      const cut = setTimeout(() => socket.destroy(), lingerMs)
      socket.once('close', () => clearTimeout(cut))
    },
    destroy: () => {
      over = true
      socket.destroy()
    },
  }
  socket.setNoDelay(true)
  const events = open(pipe)
  socket.on('drain', () => {
    full = false
    flush()
  })
  socket.on('data', (bytes: Uint8Array) => events.received(bytes))
  socket.on('error', (error) => (cause = error))
  socket.on('close', () => {
    over = true
    events.closed(cause)
  })
}
