import fc from 'fast-check'
import { expect, test } from 'vitest'
import { callTo } from '../placement.suite.ts'
import { maxStreams } from './connection.ts'
import { frame, FrameWriter, headBytes, numberPayload, unfinished } from './frames.ts'
import { Stream } from './stream.ts'
import { rawPeer, secretOf, turns, wired } from './wires.suite.ts'

const link = () => {
  let calls = 0
  const setting = wired({
    call: async ({ input }) => {
      calls += 1
      return { value: input }
    },
  })
  return { ...setting, calls: () => calls }
}

const bytesOf = (text: string) => new TextEncoder().encode(text)
const call = bytesOf(JSON.stringify(['a', 'b', 1, 1_000, 'c', false, null, {}]))
const token = new Uint8Array([
  ...numberPayload(1),
  ...bytesOf(JSON.stringify({ caller: { kind: 'operator' }, audience: 'a' })),
])

test('who does not shake hands as links do is told what is wrong, and runs nothing', async () => {
  const { server, calls } = link()
  const hello = (change: (bytes: Uint8Array) => void) => {
    const peer = rawPeer(server.open)
    const bytes = peer.handshake.hello()
    change(bytes)
    peer.frame(frame.hello, 0, bytes)
    return peer
  }
  const attempts: readonly (readonly [() => ReturnType<typeof rawPeer>, string])[] = [
    [() => hello((bytes) => bytes.fill(0)), 'no link of a fleet'],
    [() => hello((bytes) => void (bytes[7] = 9)), 'one side speaks version 9, the other 2'],
    [() => { const peer = rawPeer(server.open); peer.say(bytesOf('GET / HTTP/1.1\r\n\r\n')); return peer }, 'at most 1024 bytes'], // prettier-ignore
    [() => { const peer = rawPeer(server.open); peer.frame(frame.call, 1, call); return peer }, 'begins with a handshake'], // prettier-ignore
    [() => { const peer = rawPeer(server.open); peer.frame(frame.hello, 0, new Uint8Array()); return peer }, 'no link of a fleet'], // prettier-ignore
  ]
  for (const [attempt, why] of attempts) {
    const peer = attempt()
    await turns(4)
    expect(peer.refusal()).toContain(why)
    expect(peer.end.over).toBe(true)
  }
  const guessing = rawPeer(server.open)
  guessing.frame(frame.hello, 0, guessing.handshake.hello())
  guessing.frame(frame.proof, 0, new Uint8Array(32))
  guessing.frame(frame.call, 1, call)
  await turns(4)
  expect(guessing.refusal()).toContain('do not share a secret')
  expect(calls()).toBe(0)
})

test('a secret that another side has is told to whoever asked, and to nobody the secret', async () => {
  const { linkWith, server, lines, clients } = link()
  const other = linkWith({ secret: () => Promise.resolve(secretOf('another')) })
  const error = await other.call(callTo('read')).catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ code: 'unavailable', ran: 'not-sent' })
  expect(String(error)).toContain('do not share a secret')
  await turns(4)
  expect(lines.join()).toContain('do not share a secret')
  expect(clients[0]?.over).toBe(true)
  const peer = rawPeer(server.open)
  await peer.greet()
  expect(JSON.stringify(peer.heard)).not.toContain('secret')
})

test('who never finishes its handshake is cut off after five seconds', async () => {
  const { server, env } = link()
  const [silent, half] = [rawPeer(server.open), rawPeer(server.open)]
  half.frame(frame.hello, 0, half.handshake.hello())
  await env.advance(4_900)
  expect([silent.end.over, half.end.over]).toEqual([false, false])
  await env.advance(200)
  expect([silent.end.over, half.end.over]).toEqual([true, true])
  expect(env.waiting).toBe(0)
})

test('frames that do not fit what came before end the connection with a reason', async () => {
  type Said = readonly [type: number, stream: number, payload?: Uint8Array]
  const cases: readonly (readonly [readonly Said[], string])[] = [
    [
      [
        [frame.call, 1, call],
        [frame.call, 1, call],
      ],
      'which is not new',
    ],
    [
      [
        [frame.call, 5, call],
        [frame.call, 3, call],
      ],
      'which is not new',
    ],
    [[[frame.call, 0, call]], 'which is not new'],
    [[[frame.rest, 7, call]], 'there is no stream 7'],
    [[[frame.cancel, 7]], 'there is no stream 7'],
    [[[frame.value, 7, call]], 'there is no stream 7'],
    [
      [
        [frame.call + unfinished, 1, call],
        [frame.value, 1, call],
      ],
      'out of order',
    ],
    [[[frame.call, 1, bytesOf('{}')]], 'a call cannot be read'],
    [[[frame.identity, 0, new Uint8Array(3)]], 'a number of 4 bytes'],
    [[[frame.hello, 0, call]], 'there is no stream 0'],
  ]
  for (const [said, why] of cases) {
    const { server, linkWith } = link()
    const peer = rawPeer(server.open)
    await peer.greet()
    peer.frame(frame.identity, 0, token)
    for (const [type, stream, payload] of said) peer.frame(type, stream, payload)
    await turns(4)
    expect(peer.refusal()).toContain(why)
    expect([why, peer.end.over]).toEqual([why, true])
    expect(await linkWith().call(callTo('read', { input: 1 }))).toEqual({ value: 1 })
  }
})

test('whatever a peer says that knows the secret, nothing crashes and others are answered', async () => {
  const { server, linkWith } = link()
  const other = linkWith()
  const type = fc.oneof(fc.constantFrom(...Object.values(frame)), fc.integer({ min: 0, max: 255 }))
  const payload = fc.oneof(fc.constant(call), fc.constant(token), fc.uint8Array({ maxLength: 60 }))
  const said = fc.tuple(type, fc.integer({ min: 0, max: 4 }), payload)
  await fc.assert(
    fc.asyncProperty(
      fc.array(said, { maxLength: 12 }),
      fc.uint8Array({ maxLength: 20 }),
      fc.nat(),
      async (frames, noise, cut) => {
        const peer = rawPeer(server.open)
        await peer.greet()
        const writer = new FrameWriter()
        for (const [kind, stream, bytes] of frames) writer.frame(kind, stream, bytes)
        const all = new Uint8Array([...writer.take(), ...noise])
        const at = cut % (all.length + 1)
        peer.say(all.subarray(0, at))
        peer.say(all.subarray(at))
        await turns(2)
        expect(await other.call(callTo('read', { input: cut }))).toEqual({ value: cut })
        peer.end.cut()
      },
    ),
    { numRuns: 300 },
  )
}, 60_000)

test('a frame that claims too much takes no memory, and pings without end are answered once a turn', async () => {
  const { server } = link()
  const claims = rawPeer(server.open)
  await claims.greet()
  const length = new Uint8Array(headBytes)
  new DataView(length.buffer).setUint32(0, 2 ** 32 - 1)
  claims.say(length)
  await turns(2)
  expect(claims.refusal()).toContain('at most 65536 bytes')
  const pings = rawPeer(server.open)
  await pings.greet()
  for (let nth = 0; nth < 10_000; nth++) pings.frame(frame.ping)
  await turns(3)
  expect(pings.heard.filter((heard) => heard.type === frame.pong)).toHaveLength(1)
})

test('a call in countless empty pieces takes no memory', () => {
  const pieces = (count: number) => {
    const stream = new (class extends Stream {
      override received(): void {}
      override cancelled(): void {}
      override overfull(): void {}
    })(1)
    for (let nth = 0; nth < count; nth++) {
      stream.take((nth === 0 ? frame.call : frame.rest) + unfinished, new Uint8Array(), 1_000)
      stream.grant()
    }
    stream.take(frame.rest + unfinished, new Uint8Array(10), 1_000)
    return stream
  }
  expect(pieces(100_000).partial).toBe(10)
  // Nothing is kept for a piece but its bytes.
  expect(JSON.stringify(pieces(5))).toBe(JSON.stringify(pieces(50_000)))
})

test('a client that takes no answers, also not that it may call no more, is read no more', async () => {
  const { server } = wired({ call: () => new Promise(() => undefined) })
  const peer = rawPeer(server.open)
  await peer.greet()
  peer.end.held = true
  peer.frame(frame.identity, 0, token)
  let asked = 0
  while (peer.end.reading && asked < 50_000) {
    asked += 1
    peer.frame(frame.call, asked, call)
  }
  expect(peer.end.reading).toBe(false)
  expect(asked).toBeLessThan(maxStreams + 10_000)
})
