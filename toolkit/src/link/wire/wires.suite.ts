import { failure } from '../../base/failure.ts'
import { logger } from '../../telemetry/log.ts'
import { manualEnv } from '../../testing/manual-env.ts'
import type { Caller, Link } from '../call.ts'
import type { Identities } from '../identity.ts'
import { wireLink, type WireLinkOptions } from './client.ts'
import { frame, FrameReader, FrameWriter, maxPayloadBytes } from './frames.ts'
import { Handshake } from './handshake.ts'
import type { Dial, OpenPipe, Pipe, PipeEvents } from './pipe.ts'
import { wireServer } from './server.ts'

/* Both sides of a wire in one process, without a socket, in a time that stands still. */

/** One end of a connection, and what a test does to it. */
export interface End {
  readonly events: PipeEvents
  readonly pipe: Pipe
  /** The other side takes nothing, as one that does not read. */
  held: boolean
  reading: boolean
  over: boolean
  /** Bytes that were taken. */
  taken: number
  /** Breaks the connection. */
  cut(): void
}

export const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0))
export const turns = async (count: number): Promise<void> => {
  for (let nth = 0; nth < count; nth++) await turn()
}

/** An end of which what it sends goes to `to`, a turn later. */
const endOf = (open: OpenPipe, to: (bytes: Uint8Array) => void, closed: () => void): End => {
  const flush = () => {
    if (end.over || end.held) return
    const bytes = end.events.take()
    if (bytes === undefined) return
    end.taken += bytes.length
    to(bytes)
  }
  const finish = () => {
    if (end.over) return
    end.over = true
    closed()
  }
  const pipe: Pipe = {
    peer: 'test',
    wake: () => void setTimeout(flush, 0),
    flush,
    read: (on) => (end.reading = on),
    end: (last) => {
      if (!end.over && last.length > 0) to(last)
      finish()
    },
    destroy: finish,
  }
  const end: End = {
    events: { take: () => undefined, received: () => undefined, closed: () => undefined },
    pipe,
    held: false,
    reading: true,
    over: false,
    taken: 0,
    cut: () => {
      end.over = true
      end.events.closed(undefined)
      closed()
    },
  }
  return Object.assign(end, { events: open(pipe) })
}

/** Two ends; the second one's bytes wait while the first does not read, and the other way round. */
const joined = (first: OpenPipe, second: OpenPipe): readonly [End, End] => {
  const ends: End[] = []
  const to = (nth: number) => (bytes: Uint8Array) => {
    const given = bytes.slice()
    const give = () => {
      const end = ends[nth]
      if (end === undefined || end.over) return
      if (end.reading) end.events.received(given)
      else setTimeout(give, 0)
    }
    setTimeout(give, 0)
  }
  const closed = (nth: number) => () =>
    void setTimeout(() => {
      const end = ends[nth]
      if (end === undefined || end.over) return
      end.over = true
      end.events.closed(undefined)
    }, 0)
  const one = endOf(first, to(1), closed(1))
  ends.push(one)
  const other = endOf(second, to(0), closed(0))
  ends.push(other)
  return [one, other]
}

const identities = (seen: string[]): Identities => ({
  sign: (caller, audience) => Promise.resolve(JSON.stringify({ caller, audience })),
  verify: (token, audience) => {
    seen.push(token)
    const said = JSON.parse(token) as { caller: Caller; audience: string }
    return said.audience === audience
      ? Promise.resolve(said.caller)
      : Promise.reject(failure('unauthenticated'))
  },
})

export const secretOf = (text: string): Uint8Array => new TextEncoder().encode(text)

/** A server of what `link` answers, and links to it. */
export const wired = (link: Link) => {
  const env = manualEnv()
  const lines: string[] = []
  const tokens: string[] = []
  const log = logger({ env, level: 'warn', write: (line) => lines.push(line) })
  const common = { env, identities: identities(tokens) }
  const server = wireServer({ ...common, log, link, secret: secretOf('secret') })
  const clients: End[] = []
  const servers: End[] = []
  const dial: Dial = (_, open) => {
    const [client, served] = joined(open, server.open)
    clients.push(client)
    servers.push(served)
    return Promise.resolve()
  }
  const linkWith = (more: Partial<WireLinkOptions> = {}) =>
    wireLink({
      ...common,
      dial,
      secret: () => Promise.resolve(secretOf('secret')),
      address: 'wire://test:1',
      ...more,
    })
  return { env, server, lines, tokens, clients, servers, dial, linkWith }
}

/** A peer that says what a test has it say: each frame that it was sent, and whether it was hung up on. */
export const rawPeer = (open: OpenPipe, secret = 'secret') => {
  const heard: { type: number; stream: number; text: string }[] = []
  const handshake = new Handshake('client', secretOf(secret), new Uint8Array(32))
  const reader = new FrameReader(maxPayloadBytes)
  const [mine, theirs] = joined(
    () => ({
      take: () => undefined,
      closed: () => undefined,
      received: (bytes) =>
        reader.read(bytes, (type, stream, payload) => {
          heard.push({ type, stream, text: new TextDecoder().decode(payload) })
          if (type === frame.hello) handshake.heard(payload)
          return true
        }),
    }),
    open,
  )
  const say = (bytes: Uint8Array) => {
    if (!theirs.over) theirs.events.received(bytes)
  }
  const frameOf = (type: number, stream = 0, payload?: Uint8Array) => {
    const writer = new FrameWriter()
    writer.frame(type, stream, payload)
    return writer.take()
  }
  return {
    heard,
    end: theirs,
    own: mine,
    say,
    handshake,
    frame: (type: number, stream?: number, payload?: Uint8Array) =>
      say(frameOf(type, stream, payload)),
    /** Says what a client says before its first call. */
    greet: async () => {
      say(frameOf(frame.hello, 0, handshake.hello()))
      await turns(3)
      say(frameOf(frame.proof, 0, handshake.proof()))
      await turns(3)
    },
    refusal: () => heard.find(({ type }) => type === frame.refused)?.text ?? '',
  }
}
