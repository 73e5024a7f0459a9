import fc from 'fast-check'
import { afterEach, expect, test } from 'vitest'
import { ServalError } from '../../base/failure.ts'
import { isFeed } from '../../link/call.ts'
import { callTo } from '../../link/placement.suite.ts'
import { wireLink } from '../../link/wire/client.ts'
import { maxMessageBytes } from '../../link/wire/connection.ts'
import { frame, numberPayload, unfinished } from '../../link/wire/frames.ts'
import { windowBytes } from '../../link/wire/stream.ts'
import { eventually } from '../../testing/eventually.ts'
import { manualEnv } from '../../testing/manual-env.ts'
import { dialSocket } from './dial.ts'
import { bytesOf, framesOf, secret, serverThat, welcoming, type Speaker } from './speaking.suite.ts'

/* Servers that mean no good, over real sockets: each call to one ends, and says why. */

const env = manualEnv()
const identities = {
  sign: () => Promise.resolve('a token'),
  verify: () => Promise.resolve({ kind: 'operator' } as const),
}
const closing: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

const linkTo = async (does: (speaker: Speaker) => void, known?: Uint8Array) => {
  const server = await serverThat(does, known)
  const { address } = server
  const link = wireLink({ env, dial: dialSocket(undefined), identities, secret: async () => secret, address }) // prettier-ignore
  closing.push(server.close, link.close)
  return link
}
const call = () => callTo('read', { deadline: env.now() + 60_000 })
const failed = (reply: Promise<unknown>): Promise<ServalError> =>
  reply.then(
    () => Promise.reject(new Error('it was answered')),
    (error: unknown) => {
      if (error instanceof ServalError) return error
      throw error
    },
  )
const notSent = { code: 'unavailable', ran: 'not-sent' }
const value = (stream: number, text = '1') => framesOf([frame.value, stream, bytesOf(text)])

test('who is no link, or not of this fleet, is called not at all, and the caller told what was wrong', async () => {
  const hello = (peer: Speaker, change: (bytes: Uint8Array) => void) => {
    void peer.hears(frame.hello).then(() => {
      const bytes = peer.handshake.hello()
      change(bytes)
      peer.frame(frame.hello, 0, bytes)
    })
  }
  const cases: readonly (readonly [string, (peer: Speaker) => void, Uint8Array?])[] = [
    ['do not share a secret', (peer) => hello(peer, () => undefined), bytesOf('another')],
    ['one side speaks version 9, the other 2', (peer) => hello(peer, (bytes) => void (bytes[7] = 9))],
    ['no link of a fleet', (peer) => hello(peer, (bytes) => bytes.fill(0))],
    ['a frame has at most 1024 bytes', (peer) => peer.say(bytesOf('HTTP/1.1 400 Bad Request\r\n\r\n'))],
    ['the connection broke within its handshake', (peer) => peer.socket.end()],
    ['a connection begins with a handshake', (peer) => peer.say(value(1))],
    ['the other side ended it: go away', (peer) => peer.frame(frame.refused, 0, bytesOf(JSON.stringify({ code: 'x', kind: 'invalid', title: '', detail: 'go away', retryable: false, ran: 'ran' })))],
  ] // prettier-ignore
  for (const [why, does, known] of cases) {
    const error = await failed((await linkTo(does, known)).call(call()))
    expect([why, error]).toEqual([why, expect.objectContaining(notSent)])
    expect(error.message).toContain(why)
  }
})

test('who says nothing is given up after five seconds', async () => {
  let connected = false
  const link = await linkTo(() => (connected = true))
  const error = failed(link.call(call()))
  await eventually(() => connected, 'a connection')
  await env.advance(5_100)
  expect(await error).toMatchObject(notSent)
  expect((await error).message).toContain('does not finish its handshake')
})

test('a reply that breaks off at any of its bytes is an unknown outcome; a whole one is the reply', async () => {
  const reply = value(1, '{"some":"thing"}')
  for (let at = 0; at <= reply.length; at++) {
    const link = await linkTo(
      welcoming(async (peer) => {
        await peer.hears(frame.call)
        peer.say(reply.subarray(0, at))
        peer.socket.end()
      }),
    )
    if (at === reply.length) expect(await link.call(call())).toEqual({ value: { some: 'thing' } })
    else
      expect(await failed(link.call(call()))).toMatchObject({
        code: 'unknown-outcome',
        ran: 'unknown',
      })
  }
})

test('a reply to a call that is over is passed over; one to a call that was never made ends the connection', async () => {
  const link = await linkTo(
    welcoming(async (peer) => {
      await peer.hears(frame.call, 1)
      peer.say(Buffer.concat([value(1), value(1, '2'), framesOf([frame.failed, 1, bytesOf('{}')])]))
      await peer.hears(frame.call, 2)
      peer.say(Buffer.concat([value(1, '3'), value(2, '"second"')]))
      await peer.hears(frame.call, 3)
      peer.say(value(99))
    }),
  )
  expect(await link.call(call())).toEqual({ value: 1 })
  expect(await link.call(call())).toEqual({ value: 'second' })
  const error = await failed(link.call(call()))
  expect(error).toMatchObject({ code: 'unknown-outcome', ran: 'unknown' })
  expect(error.message).toContain('there is no stream 99')
})

test('what breaks the rules ends each call under way, and says which rule', async () => {
  const cases: readonly (readonly [string, Uint8Array])[] = [
    ['a server cancels no calls', framesOf([frame.cancel, 1])],
    ['a server begins no calls', framesOf([frame.call, 7, bytesOf('[]')])],
    ['a server has no identity to tell', framesOf([frame.identity, 0, new Uint8Array(8)])],
    ['more credit than a window has', framesOf([frame.credit, 1, numberPayload(2 ** 31)])],
    ['a value cannot be read', value(1, '{')],
    ['a frame of the type 99 answers no call', framesOf([99, 1])],
    ['out of order', framesOf([frame.rest, 1])],
    ['a frame has at most 65536 bytes', new Uint8Array([1, 0, 0, 0, 11, 0, 0, 0, 1])],
    ['ended it', framesOf([frame.refused, 0, bytesOf(JSON.stringify({ code: 'x', kind: 'invalid', title: '', detail: 'x'.repeat(900), retryable: false, ran: 'ran' }))])], // prettier-ignore
  ]
  for (const [why, said] of cases) {
    const link = await linkTo(
      welcoming(async (peer) => {
        await peer.hears(frame.call, 2)
        peer.say(said)
      }),
    )
    const both = await Promise.all([failed(link.call(call())), failed(link.call(call()))])
    for (const error of both) {
      expect([why, error]).toEqual([why, expect.objectContaining({ code: 'unknown-outcome' })])
      expect(error.message).toContain(why)
      expect(error.message.length).toBeLessThan(400)
    }
  }
})

test('a reply without end, and feeds that pay no heed to their reader, cost a bounded part of memory', async () => {
  const piece = new Uint8Array(32 * 1024)
  const endless = await linkTo(
    welcoming(async (peer) => {
      await peer.hears(frame.call, 1)
      peer.frame(frame.value + unfinished, 1, piece)
      for (let sent = piece.length; sent <= maxMessageBytes; sent += piece.length)
        peer.frame(frame.rest + unfinished, 1, piece)
      await peer.hears(frame.cancel, 1)
      peer.frame(frame.rest + unfinished, 1, piece)
      await peer.hears(frame.call, 2)
      peer.say(value(2))
    }),
  )
  const tooLarge = await failed(endless.call(call()))
  expect(tooLarge).toMatchObject({ code: 'internal', ran: 'ran' })
  expect(tooLarge.message).toContain(`at most ${maxMessageBytes} bytes`)
  expect(await endless.call(call())).toEqual({ value: 1 })

  const item = bytesOf(JSON.stringify('x'.repeat(32_000)))
  const feeds = await linkTo(
    welcoming(async (peer) => {
      await peer.hears(frame.call, 1)
      peer.frame(frame.feed, 1)
      await peer.hears(frame.call, 2)
      for (let nth = 0; nth < 6; nth++) peer.frame(frame.item, 1, item)
    }),
  )
  const reply = await feeds.call(call())
  if (!isFeed(reply)) throw new Error('it is no feed')
  const other = await failed(feeds.call(call()))
  expect(other.message).toContain('more was sent than may be')
  const items = reply.value[Symbol.asyncIterator]()
  for (let nth = 0; nth < Math.floor(windowBytes / 32_100); nth++)
    expect((await items.next()).done).toBe(false)
  expect(await failed(items.next())).toMatchObject({ code: 'unknown-outcome' })

  const garbled = await linkTo(
    welcoming(async (peer) => {
      await peer.hears(frame.call, 1)
      peer.say(framesOf([frame.feed, 1], [frame.item, 1, bytesOf('{')]))
      await peer.hears(frame.cancel, 1)
      await peer.hears(frame.call, 2)
      peer.say(value(2))
    }),
  )
  const feed = await garbled.call(call())
  if (!isFeed(feed)) throw new Error('it is no feed')
  const error = await failed(feed.value[Symbol.asyncIterator]().next())
  expect(error).toMatchObject({ code: 'internal' })
  expect(error.message).toContain('an item of the feed is not one')
  expect(await garbled.call(call())).toEqual({ value: 1 })
}, 20_000)

test('whatever bytes a server says, before the handshake or after it, each call to it ends', async () => {
  const noise = fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { minLength: 6, maxLength: 6 }) // prettier-ignore
  const said = fc.asyncProperty(noise, async (texts) => {
    const ends = texts.map(async (bytes, nth) => {
      const say = (peer: Speaker) => {
        peer.say(bytes)
        peer.socket.end()
      }
      const link = await linkTo(nth % 2 === 0 ? say : welcoming(say))
      await failed(link.call(call()))
    })
    await Promise.all(ends)
  })
  await fc.assert(said, { numRuns: 20, seed: 20_261_122 })
}, 30_000)
