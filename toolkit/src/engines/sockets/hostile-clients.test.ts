import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Call } from '../../link/call.ts'
import { callTo } from '../../link/placement.suite.ts'
import { mostStrangers } from '../../link/strangers.ts'
import { wireLink, type WireLink } from '../../link/wire/client.ts'
import { maxStreams } from '../../link/wire/connection.ts'
import { frame, numberPayload } from '../../link/wire/frames.ts'
import type { OpenPipe } from '../../link/wire/pipe.ts'
import { wireServer } from '../../link/wire/server.ts'
import { windowBytes } from '../../link/wire/stream.ts'
import { logger } from '../../telemetry/log.ts'
import { eventually } from '../../testing/eventually.ts'
import { manualEnv } from '../../testing/manual-env.ts'
import { dialSocket } from './dial.ts'
import { listenSocket, type Listening } from './listen.ts'
import { bytesOf, framesOf, greet, secret, Speaker, speakTo } from './speaking.suite.ts'

/* Clients that mean no good, over real sockets, beside one that calls all the time: it must not notice. */

const env = manualEnv()
const lines: string[] = []
const log = logger({ env, level: 'warn', write: (line) => lines.push(line) })
const identities = {
  sign: (_: unknown, audience: string) => Promise.resolve(`a token for ${audience}`),
  verify: () => Promise.resolve({ kind: 'operator' } as const),
}
const held: (() => void)[] = []
const seen: string[] = []
let items = 0
/** Connections that the server holds, and bytes that it gave to their sockets. */
let open = 0
let given = 0

async function* endless() {
  for (;;) {
    items += 1
    yield 'x'.repeat(10_000)
    await Promise.resolve()
  }
}
const answer = async ({ operation, input }: Call) => {
  seen.push(operation)
  if (operation === 'hang') await new Promise<void>((resolve) => held.push(resolve))
  if (operation === 'large') return { value: 'x'.repeat(4_000_000) }
  if (operation === 'feed') return { value: endless() }
  if (operation === 'break') throw new Error('inner detail: /srv/app.ts, password=hunter2')
  return { value: input }
}
const server = wireServer({ env, log, identities, link: { call: answer }, secret })
const counted: OpenPipe = (pipe) => {
  const events = server.open(pipe)
  open += 1
  return {
    take: () => {
      const bytes = events.take()
      given += bytes?.length ?? 0
      return bytes
    },
    received: (bytes) => events.received(bytes),
    closed: (cause) => {
      open -= 1
      events.closed(cause)
    },
  }
}

let listening: Listening
let port = 0
let good: WireLink
let going = true
let answered = 0
const failures: unknown[] = []
let caller: Promise<void>
const linkTo = (address: string) =>
  wireLink({ env, dial: dialSocket(undefined), identities, secret: async () => secret, address })

beforeAll(async () => {
  listening = await listenSocket({ env, log, host: '127.0.0.1', port: 0, certificates: undefined, open: counted }) // prettier-ignore
  port = listening.port
  good = linkTo(`wire://127.0.0.1:${port}`)
  const goOn = async () => {
    for (; going; answered += 1) {
      const { deadline } = callTo('read')
      await good.call(callTo('read', { deadline })).catch((error: unknown) => failures.push(error))
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
  }
  caller = goOn()
})
afterAll(async () => {
  going = false
  await caller
  good.close()
  server.close()
  await listening.close()
  expect(failures).toEqual([])
  expect(answered).toBeGreaterThan(10)
})

const callBytes = (stream: number, operation: string, left = 60_000): Uint8Array =>
  framesOf([
    frame.call,
    stream,
    bytesOf(JSON.stringify(['made', operation, 1, left, 'c', false, null, {}])),
  ])
const introduced = framesOf([
  frame.identity,
  0,
  new Uint8Array([...numberPayload(1), ...bytesOf('t')]),
])
const callers = async () => {
  const peer = await greet(port)
  peer.say(introduced)
  return peer
}
/** Only the good client's connection is left. */
const alone = () => eventually(() => open <= 1, 'the end of all other connections')
const logged = (text: string) =>
  eventually(() => lines.some((line) => line.includes(text)), `a line that says ${text}`)

test('a good conversation that ends at any of its bytes harms nobody, and only the whole one is a call', async () => {
  const rest = (peer: Speaker) =>
    Buffer.concat([
      framesOf([frame.proof, 0, peer.handshake.proof()]),
      introduced,
      callBytes(1, 'once'),
    ])
  const helloOf = (peer: Speaker) => framesOf([frame.hello, 0, peer.handshake.hello()])
  const cutAt = async (at: number) => {
    const peer = await speakTo(port)
    const hello = helloOf(peer)
    peer.say(hello.subarray(0, at))
    if (at > hello.length) {
      await peer.hears(frame.hello)
      peer.say(rest(peer).subarray(0, at - hello.length))
    }
    peer.socket.end()
    await peer.ended()
  }
  const one = await speakTo(port)
  const length = helloOf(one).length + rest(one).length
  one.socket.destroy()
  for (let at = 0; at <= length; at += 32)
    await Promise.all(
      Array.from({ length: Math.min(32, length + 1 - at) }, (_, nth) => cutAt(at + nth)),
    )
  await alone()
  expect(seen.filter((operation) => operation === 'once')).toHaveLength(1)
}, 30_000)

test('random bytes, before the handshake and after it, end their connection alone', async () => {
  const noise = fc.uint8Array({ minLength: 1, maxLength: 400 })
  const many = fc.array(noise, { minLength: 8, maxLength: 8 })
  const say = async (peer: Speaker, bytes: Uint8Array) => {
    peer.say(bytes)
    peer.socket.end()
    await peer.ended()
  }
  const said = fc.asyncProperty(many, many, async (before, after) => {
    await Promise.all([
      ...before.map(async (bytes) => say(await speakTo(port), bytes)),
      ...after.map(async (bytes) => say(await callers(), bytes)),
    ])
  })
  await fc.assert(said, { numRuns: 25, seed: 20_261_122 })
  await alone()
}, 30_000)

test('what is wrong is said to the peer and to the log, with where it came from, and nothing of what it said', async () => {
  lines.length = 0
  await env.advance(10_000)
  const [wrongSecret, oversized, wrongVersion] = await Promise.all([
    speakTo(port, bytesOf('sesame-guess')),
    speakTo(port),
    speakTo(port),
  ])
  wrongSecret.frame(frame.hello, 0, wrongSecret.handshake.hello())
  await eventually(() => wrongSecret.heard.length > 0, 'a hello')
  wrongSecret.frame(frame.proof, 0, new Uint8Array(32))
  await wrongSecret.ended()
  oversized.say(new Uint8Array([255, 255, 255, 255, 1, 0, 0, 0, 0]))
  await oversized.ended()
  const hello = wrongVersion.handshake.hello()
  hello[7] = 9
  wrongVersion.frame(frame.hello, 0, hello)
  await wrongVersion.ended()
  const unreadable = await callers()
  unreadable.frame(
    frame.call,
    1,
    bytesOf('["made","read",1,"hunter2","c",false,null,{"card":"4242"}]'),
  )
  await unreadable.ended()
  const broken = await callers()
  broken.say(callBytes(1, 'break'))
  const told = (await broken.hears(frame.failed)).text
  broken.socket.destroy()
  expect(wrongSecret.refusal).toContain('do not share a secret')
  expect(oversized.refusal).toContain('a frame has at most 1024 bytes, not 4294967295')
  expect(wrongVersion.refusal).toContain('version 9')
  expect(unreadable.refusal).toContain('a call cannot be read: left: ')
  for (const { refusal } of [wrongSecret, oversized, wrongVersion, unreadable]) {
    const found = lines.filter((line) => line.includes(JSON.parse(refusal).detail))
    expect(found).toHaveLength(1)
    expect(found[0]).toMatch(/"peer":"127\.0\.0\.1 \d+"/)
    expect(Object.keys(JSON.parse(refusal))).toEqual(['code', 'kind', 'title', 'detail', 'retryable', 'ran']) // prettier-ignore
  }
  expect(JSON.parse(told)).toMatchObject({ code: 'internal', detail: 'Something unexpected went wrong' }) // prettier-ignore
  const strangers = lines.filter((line) => line.includes('a connection was ended')).join()
  for (const text of ['hunter2', '4242', 'sesame', 'what the fleet knows', 'at Object'])
    expect(`${strangers}${told}`).not.toContain(text)
  await alone()
})

test('who says nothing, or a byte now and then, is let go after five seconds', async () => {
  const silent = await Promise.all(Array.from({ length: 20 }, () => speakTo(port)))
  const dripping = await Promise.all(Array.from({ length: 20 }, () => speakTo(port)))
  const hello = framesOf([frame.hello, 0, dripping[0]?.handshake.hello()])
  for (let at = 0; at < 4; at++) {
    for (const peer of dripping) peer.say(hello.subarray(at, at + 1))
    await env.advance(1_000)
  }
  await eventually(() => open === 41, 'all connections')
  await env.advance(5_000)
  await Promise.all([...silent, ...dripping].map((peer) => peer.ended()))
  await logged('does not finish its handshake')
  await alone()
})

test('of a flood of strangers few are held, few lines are written, and who belongs here gets in', async () => {
  await env.advance(10_000)
  lines.length = 0
  const before = answered
  const flood: Speaker[] = []
  let most = 0
  for (let nth = 0; nth < 3 * mostStrangers; nth += 64) {
    const wave = Array.from({ length: 64 }, () => speakTo(port))
    flood.push(...(await Promise.all(wave)))
    most = Math.max(most, open)
    const link = linkTo(`wire://127.0.0.1:${port}`)
    expect(await link.call(callTo('read', { input: nth }))).toEqual({ value: nth })
    link.close()
  }
  await eventually(() => flood.filter(({ over }) => over).length >= 2 * mostStrangers, 'their end')
  // Those that were let go are closed soon, not at once.
  expect(most).toBeLessThan(2 * mostStrangers)
  expect(answered).toBeGreaterThan(before)
  expect(lines.length).toBeLessThanOrEqual(10)
  expect(lines.join()).toContain(`more than ${mostStrangers} connections`)
  for (const { socket } of flood) socket.destroy()
  await env.advance(10_000)
  const late = await speakTo(port)
  late.say(new Uint8Array(2_000).fill(255))
  await logged('leftOut')
  await alone()
}, 30_000)

test('a handshake that somebody recorded opens nothing', async () => {
  const recorded: Uint8Array[] = []
  const first = await speakTo(port)
  recorded.push(framesOf([frame.hello, 0, first.handshake.hello()]))
  first.say(recorded[0] ?? new Uint8Array())
  await first.hears(frame.hello)
  recorded.push(framesOf([frame.proof, 0, first.handshake.proof()]), introduced, callBytes(1, 'read')) // prettier-ignore
  for (const bytes of recorded.slice(1)) first.say(bytes)
  await first.hears(frame.value)
  const again = await speakTo(port)
  for (const bytes of recorded) again.say(bytes)
  await again.ended()
  expect(again.refusal).toContain('do not share a secret')
  expect(again.heard.map(({ type }) => type)).toEqual([frame.hello, frame.refused])
  first.socket.destroy()
  await alone()
})

test('more calls at a time than a connection may have are refused, one by one', async () => {
  const peer = await callers()
  const extra = 300
  for (let nth = 1; nth <= maxStreams + extra; nth++) peer.say(callBytes(nth, 'hang'))
  const refused = () => peer.heard.filter(({ type }) => type === frame.failed)
  await eventually(() => refused().length === extra && held.length === maxStreams, 'the refusals')
  expect(refused()[0]?.text).toContain('overloaded')
  for (const go of held.splice(0)) go()
  const values = () => peer.heard.filter(({ type }) => type === frame.value).length
  await eventually(() => values() === maxStreams, 'the answers')
  peer.socket.destroy()
  await alone()
})

test('what breaks the rules of streams ends the connection that does, and says which rule', async () => {
  const cases: readonly (readonly [string, ...Uint8Array[]])[] = [
    ['was given more credit than a window has', callBytes(1, 'hang'), framesOf([frame.credit, 1, numberPayload(2 ** 32 - 1)])], // prettier-ignore
    ['there is no stream 77', framesOf([frame.cancel, 77])],
    ['there is no stream 77', framesOf([frame.credit, 77, numberPayload(1)])],
    ['an identity has at most 8192 bytes, not 9000', framesOf([frame.identity, 0, new Uint8Array(9_000)])], // prettier-ignore
    ['left: Too big', callBytes(1, 'read', 1e15)],
    ['left: Too small', callBytes(1, 'read', -1)],
  ]
  for (const [why, ...said] of cases) {
    const peer = await callers()
    peer.say(Buffer.concat(said))
    await peer.ended()
    expect(peer.refusal).toContain(why)
  }
  for (const go of held.splice(0)) go()
  await alone()
})

test('who stops reading while large replies and feeds are due holds a window of each, and nobody else', async () => {
  const peer = await callers()
  peer.socket.pause()
  given = items = 0
  const due = 20
  for (let nth = 1; nth <= due; nth++) peer.say(callBytes(nth, nth % 2 === 0 ? 'large' : 'feed'))
  const before = answered
  await eventually(() => answered > before + 100, 'calls of the good client')
  // Items that are due have a window each, and one that waits.
  expect(items).toBeLessThan((due / 2) * (windowBytes / 10_000 + 2))
  const others = 1024 * 1024
  expect(given).toBeLessThan(due * windowBytes + others)
  await env.advance(30_000)
  peer.socket.resume()
  await peer.ended()
  await alone()
})
