import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { ServalError } from '../../base/failure.ts'
import { HttpRefusal, defaultHttpLimits } from '../../link/http.ts'
import type { HttpLimits, HttpReply, HttpRequest, HttpServer } from '../../link/http.ts'
import { listenHttp } from './index.ts'

/**
 * The contract of ListenHttp, spoken byte by byte where it matters. Every test runs on both
 * runtimes; where their parsers answer a broken request with another status, the table below names
 * both.
 */
const runtime = 'Bun' in globalThis ? 'bun' : 'node'

interface Reply {
  readonly line: string
  readonly status: number
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
}

/** A client that sends what it is told to, and reads replies one by one. */
class Wire {
  readonly socket: Socket
  readonly closed: Promise<string>
  #text = ''
  #ended = false
  #wake: () => void = () => undefined

  constructor(port: number) {
    this.socket = connect({ host: '127.0.0.1', port })
    this.socket.setNoDelay(true)
    this.closed = new Promise((resolve) => {
      const end = () => {
        this.#ended = true
        this.#wake()
        resolve(this.#text)
      }
      // Either is enough: a server that closed is not waited for twice.
      this.socket.on('end', end).on('close', end)
    })
    this.socket.on('error', () => undefined)
    this.socket.on('data', (bytes: Buffer) => {
      this.#text += bytes.toString('latin1')
      this.#wake()
    })
  }

  send(...parts: readonly string[]): this {
    for (const part of parts) this.socket.write(part, 'latin1')
    return this
  }

  /** Waits until `find` sees what it looks for in what has arrived and not been taken. */
  async until<T>(find: (text: string, ended: boolean) => T | undefined): Promise<T> {
    for (;;) {
      const found = find(this.#text, this.#ended)
      if (found !== undefined) return found
      if (this.#ended) throw new Error(`closed after ${JSON.stringify(this.#text)}`)
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }

  async reply(head = false): Promise<Reply> {
    const split = await this.until((text) => {
      const at = text.indexOf('\r\n\r\n')
      return at < 0 ? undefined : at
    })
    const [line = '', ...fields] = this.#text.slice(0, split).split('\r\n')
    this.#text = this.#text.slice(split + 4)
    const status = Number(line.split(' ')[1])
    const headers = new Map<string, string>()
    for (const field of fields) {
      const at = field.indexOf(':')
      const name = field.slice(0, at).toLowerCase()
      const before = headers.get(name)
      const value = field.slice(at + 1).trim()
      headers.set(name, before === undefined ? value : `${before} | ${value}`)
    }
    const bodiless = head || status < 200 || status === 204 || status === 304
    return { line, status, headers, body: bodiless ? '' : await this.#content(headers) }
  }

  async #content(headers: ReadonlyMap<string, string>): Promise<string> {
    if (headers.get('transfer-encoding') === 'chunked') {
      let body = ''
      for (;;) {
        const end = await this.until((text) =>
          text.includes('\r\n') ? text.indexOf('\r\n') : undefined,
        )
        const size = Number.parseInt(this.#text, 16)
        this.#text = this.#text.slice(end + 2)
        body += (await this.#take(size + 2)).slice(0, size)
        if (size === 0) return body
      }
    }
    const length = headers.get('content-length')
    if (length !== undefined) return this.#take(Number(length))
    return this.until((text, ended) => (ended ? text : undefined))
  }

  async #take(length: number): Promise<string> {
    const taken = await this.until((text) =>
      text.length >= length ? text.slice(0, length) : undefined,
    )
    this.#text = this.#text.slice(length)
    return taken
  }
}

/** A promise that is settled from outside. */
const signal = <T = void>() => {
  let fire: (value: T) => void = () => undefined
  const fired = new Promise<T>((resolve) => (fire = resolve))
  return { fire, fired }
}

const text = (body: string, status = 200): HttpReply => ({
  status,
  headers: { 'content-type': 'text/plain' },
  body,
})

const servers: HttpServer[] = []
const wires: Wire[] = []

afterEach(async () => {
  for (const wire of wires.splice(0)) wire.socket.destroy()
  await Promise.all(servers.splice(0).map((server) => server.close()))
})

const serve = async (
  handle: (request: HttpRequest) => Promise<HttpReply>,
  limits: Partial<HttpLimits> = {},
) => {
  const server = await listenHttp({
    host: '127.0.0.1',
    port: 0,
    limits: { ...defaultHttpLimits, ...limits },
    handle,
    refuse: (status) => ({
      status,
      headers: { 'content-type': 'application/problem+json' },
      body: JSON.stringify({ status }),
    }),
  })
  servers.push(server)
  const open = () => {
    const wire = new Wire(server.port)
    wires.push(wire)
    return wire
  }
  return { server, open, send: (...parts: readonly string[]) => open().send(...parts) }
}

/** Tells what it was asked, with the body's size. */
const echo = async (request: HttpRequest): Promise<HttpReply> => {
  const body = await request.body()
  return text(`${request.method} ${request.target} ${body.length}`)
}

const get = (target: string, ...fields: readonly string[]) =>
  ['GET ' + target + ' HTTP/1.1', 'host: test', ...fields, '', ''].join('\r\n')

const post = (fields: readonly string[], body = '') =>
  ['POST / HTTP/1.1', 'host: test', ...fields, '', body].join('\r\n')

const encoder = new TextEncoder()

describe('requests', () => {
  test('a connection serves one request after another', async () => {
    const { send } = await serve(echo)
    const wire = send(get('/one?x=1'))
    expect((await wire.reply()).body).toBe('GET /one?x=1 0')
    wire.send(post(['content-length: 3'], 'abc'))
    expect((await wire.reply()).body).toBe('POST / 3')
    wire.send(
      post(['transfer-encoding: chunked'], '2;a=b\r\nab\r\n1\r\nc\r\n0\r\nx-trailer: 1\r\n\r\n'),
    )
    expect((await wire.reply()).body).toBe('POST / 3')
    wire.send(get('/last', 'connection: close'))
    expect((await wire.reply()).headers.get('connection')).toBe('close')
    await wire.closed
  })

  test('the target arrives as it was sent, an absolute one reduced to path and query', async () => {
    const { send } = await serve(echo)
    const wire = send(get('/a/../b//%2e%2E/c%2F%zz?q=[]|"'))
    expect((await wire.reply()).body).toBe('GET /a/../b//%2e%2E/c%2F%zz?q=[]|" 0')
    expect((await wire.send(get('http://other:81/p?q')).reply()).body).toBe('GET /p?q 0')
    expect((await wire.send(get('http://other?q')).reply()).body).toBe('GET /?q 0')
    expect((await wire.send(get('HTTP://other')).reply()).body).toBe('GET / 0')
  })

  test('headers are found by lower-case name, repeated ones are joined', async () => {
    const { send } = await serve((request) => {
      const seen = ['x-a', 'cookie', 'authorization', 'missing'].map((name) => request.header(name))
      return Promise.resolve(text(JSON.stringify([...seen, request.remoteAddress])))
    })
    const wire = send(
      get(
        '/',
        'X-A: 1',
        'x-a:2',
        'X-a:  3 ',
        'Cookie: a=b',
        'cookie: c=d',
        'Authorization: t',
        'authorization: u',
      ),
    )
    const seen = JSON.parse((await wire.reply()).body) as unknown
    expect(seen).toEqual(['1, 2, 3', 'a=b, c=d', 't, u', null, '127.0.0.1'])
  })

  test('pipelined requests are answered in order, also while the first is in flight', async () => {
    const first = signal()
    const { send } = await serve(async (request) => {
      if (request.target === '/1') await first.fired
      else first.fire()
      return echo(request)
    })
    const wire = send(get('/1') + get('/2'), get('/3'))
    const bodies = [await wire.reply(), await wire.reply(), await wire.reply()].map(
      ({ body }) => body,
    )
    expect(bodies).toEqual(['GET /1 0', 'GET /2 0', 'GET /3 0'])
  })

  test('a client that expects 100-continue is invited when the body is wanted', async () => {
    const { send } = await serve(echo)
    const wire = send(post(['expect: 100-continue', 'content-length: 3']))
    expect((await wire.reply()).status).toBe(100)
    expect((await wire.send('abc').reply()).body).toBe('POST / 3')
  })

  test('it is not invited when nobody wants the body, and the connection ends there', async () => {
    const { send } = await serve(() => Promise.resolve(text('no', 403)))
    const wire = send(post(['expect: 100-continue', 'content-length: 3']))
    const reply = await wire.reply()
    expect([reply.status, reply.headers.get('connection')]).toEqual([403, 'close'])
    await wire.closed
  })

  test('a body that nobody asked for does not become the next request', async () => {
    const seen: string[] = []
    const { send } = await serve((request) => {
      seen.push(request.target)
      return Promise.resolve(text('ok'))
    })
    const hidden = get('/hidden')
    const wire = send(post([`content-length: ${hidden.length}`]))
    expect((await wire.reply()).status).toBe(200)
    wire.send(hidden, get('/next'))
    expect((await wire.reply()).status).toBe(200)
    expect(seen).toEqual(['/', '/next'])
  })

  test('nothing is served after a request that was to be the last', async () => {
    const { send } = await serve(echo)
    const wire = send(get('/last', 'connection: close') + get('/more'))
    expect((await wire.reply()).body).toBe('GET /last 0')
    expect(await wire.closed).toBe('')
  })

  test('HTTP/1.0 is served, and closed after the reply', async () => {
    const { send } = await serve(echo)
    const wire = send('GET /old HTTP/1.0\r\n\r\n')
    expect((await wire.reply()).body).toBe('GET /old 0')
    await wire.closed
  })
})

describe('replies', () => {
  test('strings and bytes carry their length, the status its line, lists are repeated fields', async () => {
    const { send } = await serve(({ target }) =>
      Promise.resolve({
        status: 201,
        headers: { 'set-cookie': ['a=1', 'b=2'], 'content-length': '99' },
        body: target === '/bytes' ? encoder.encode('é') : 'é',
      }),
    )
    for (const target of ['/bytes', '/string']) {
      const reply = await send(get(target)).reply()
      expect(reply.line).toBe('HTTP/1.1 201 Created')
      expect(reply.headers.get('content-length')).toBe('2')
      expect(reply.headers.get('set-cookie')).toBe('a=1 | b=2')
      expect(reply.headers.has('date')).toBe(true)
      expect(Buffer.from(reply.body, 'latin1').toString()).toBe('é')
    }
  })

  test('HEAD gets the length and no body; 204 and 304 get neither', async () => {
    const { send } = await serve(({ target }) =>
      Promise.resolve(
        target === '/' ? text('hello') : { status: Number(target.slice(1)), headers: {} },
      ),
    )
    const wire = send('HEAD / HTTP/1.1\r\nhost: test\r\n\r\n')
    const reply = await wire.reply(true)
    expect([reply.status, reply.headers.get('content-length')]).toEqual([200, '5'])
    for (const status of [204, 304]) {
      const empty = await wire.send(get(`/${status}`)).reply()
      expect([empty.status, empty.headers.get('content-length')]).toEqual([status, undefined])
    }
    const nothing = await wire.send(get('/200')).reply()
    expect([nothing.status, nothing.headers.get('content-length')]).toEqual([200, '0'])
  })

  test('an async iterable is streamed, its first item before the last is made', async () => {
    const more = signal()
    const { send } = await serve(() =>
      Promise.resolve({
        status: 200,
        headers: {},
        body: (async function* () {
          yield encoder.encode('one ')
          await more.fired
          yield encoder.encode('two')
        })(),
      }),
    )
    const wire = send(get('/'))
    await wire.until((seen) => (seen.includes('one ') ? true : undefined))
    more.fire()
    expect((await wire.reply()).body).toBe('one two')
    expect((await wire.send(get('/')).reply()).body).toBe('one two')
  })

  test('a stream waits for a client that does not read, and is returned when the client leaves', async () => {
    const returned = signal()
    let made = 0
    const body: AsyncIterable<Uint8Array> = {
      [Symbol.asyncIterator]: () => ({
        next: () =>
          Promise.resolve({ done: (made += 1) > 1000, value: new Uint8Array(256 * 1024) }),
        return: () => {
          returned.fire()
          return Promise.resolve({ done: true, value: undefined })
        },
      }),
    }
    const { open } = await serve(() => Promise.resolve({ status: 200, headers: {}, body }))
    const wire = open()
    wire.socket.pause()
    wire.send(get('/'))
    // The buffers on the way take their fill; whoever does not wait would be through with all of
    // it.
    for (let turn = 0; turn < 100 || made === 0; turn += 1) {
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(made).toBeLessThan(500)
    wire.socket.destroy()
    await returned.fired
  })

  test('a stream that fails cuts the reply short', async () => {
    const { send } = await serve(() =>
      Promise.resolve({
        status: 200,
        headers: {},
        body: (async function* () {
          yield encoder.encode('one')
          throw new Error('lost')
        })(),
      }),
    )
    const seen = await send(get('/')).closed
    expect(seen).toContain('HTTP/1.1 200 OK')
    expect(seen).not.toContain('0\r\n\r\n')
  })

  test('the signal aborts when the client leaves, while a reply is made and while it is streamed', async () => {
    const asked = signal()
    const left = signal<unknown>()
    const { send } = await serve(async (request) => {
      request.signal.addEventListener('abort', () => left.fire(request.signal.reason))
      asked.fire()
      await left.fired
      return text('too late')
    })
    const wire = send(get('/'))
    await asked.fired
    wire.socket.destroy()
    expect(await left.fired).toMatchObject({ code: 'cancelled' })

    const streamed = signal()
    const feed = await serve((request) =>
      Promise.resolve({
        status: 200,
        headers: {},
        body: (async function* () {
          yield encoder.encode('one')
          await new Promise((resolve) => request.signal.addEventListener('abort', resolve))
          streamed.fire()
        })(),
      }),
    )
    const reader = feed.send(get('/'))
    await reader.until((seen) => (seen.includes('one') ? true : undefined))
    reader.socket.destroy()
    await streamed.fired
  })

  test('the signal does not abort when the reply was complete', async () => {
    let kept: AbortSignal | undefined
    const { send, server } = await serve((request) => {
      kept = request.signal
      return Promise.resolve(text('ok'))
    })
    const wire = send(get('/'))
    await wire.reply()
    wire.socket.destroy()
    await server.drain()
    expect(kept?.aborted).toBe(false)
  })

  test('a handler that throws, and a header that cannot be sent, are answered with 500', async () => {
    const { send } = await serve(({ target }) => {
      if (target === '/throws') throw new Error('handler')
      if (target === '/rejects') return Promise.reject(new Error('handler'))
      return Promise.resolve({ status: 200, headers: { 'x-a': 'b\r\nset-cookie: evil=1' } })
    })
    const unread = post(['transfer-encoding: chunked'], '2\r\nab\r\n')
    for (const bytes of [get('/throws'), get('/rejects'), get('/splits'), unread]) {
      const wire = send(bytes)
      const reply = await wire.reply()
      expect([reply.line, reply.body]).toEqual([
        'HTTP/1.1 500 Internal Server Error',
        '{"status":500}',
      ])
      expect(reply.headers.has('set-cookie')).toBe(false)
      await wire.closed
    }
  })
})

describe('refusals', () => {
  /** Bytes of a request, and its status: one for both runtimes, or [node, bun]. */
  const broken: Readonly<Record<string, readonly [string, number | readonly [number, number]]>> = {
    'a garbage line': ['GARBAGE\r\n\r\n', 400],
    'a TLS hello': ['\x16\x03\x01\x02\x00\x01\r\n\r\n', 400],
    'bare line feeds': ['GET / HTTP/1.1\nhost: test\n\n', 400],
    'a blank in the target': ['GET /a b HTTP/1.1\r\nhost: test\r\n\r\n', 400],
    'an unknown method': ['FROB / HTTP/1.1\r\nhost: test\r\n\r\n', 400],
    'a method in lower case': ['get / HTTP/1.1\r\nhost: test\r\n\r\n', 400],
    'the preface of HTTP/2': ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
    'HTTP/2.0': ['GET / HTTP/2.0\r\nhost: test\r\n\r\n', 505],
    CONNECT: ['CONNECT test:80 HTTP/1.1\r\nhost: test\r\n\r\n', 501],
    'no Host': ['GET / HTTP/1.1\r\n\r\n', 400],
    'two Hosts': [get('/', 'host: other'), 400],
    'a folded header': [get('/', 'x-a: b', ' c'), 400],
    'a blank before the colon': [get('/', 'x-a : b'), 400],
    'no colon': [get('/', 'x-a'), 400],
    'an empty name': [get('/', ': b'), 400],
    'a NUL in a value': [get('/', 'x-a: b\0c'), 400],
    'a bare CR in a value': [get('/', 'x-a: b\rc'), 400],
    'Content-Length in letters': [post(['content-length: abc'], 'abc'), 400],
    'Content-Length with a sign': [post(['content-length: +3'], 'abc'), 400],
    'Content-Length below zero': [post(['content-length: -3'], 'abc'), 400],
    'Content-Length in hex': [post(['content-length: 0x3'], 'abc'), 400],
    'Content-Length as a list': [post(['content-length: 3, 3'], 'abc'), 400],
    'Content-Length without end': [post([`content-length: ${'9'.repeat(30)}`], 'abc'), 400],
    'Content-Length empty': [post(['content-length:']), 400],
    'two differing Content-Lengths': [post(['content-length: 3', 'content-length: 4'], 'abc'), 400],
    'two equal Content-Lengths': [post(['content-length: 3', 'content-length: 3'], 'abc'), 400],
    'Content-Length, then Transfer-Encoding': [
      post(['content-length: 5', 'transfer-encoding: chunked'], '0\r\n\r\n'),
      400,
    ],
    'Transfer-Encoding, then Content-Length': [
      post(['transfer-encoding: chunked', 'content-length: 5'], '0\r\n\r\n'),
      400,
    ],
    'a hidden Transfer-Encoding': [
      post(['content-length: 5', 'transfer-encoding : chunked'], '0\r\n\r\n'),
      400,
    ],
    'a Transfer-Encoding that is not chunked last': [
      post(['transfer-encoding: chunked, gzip']),
      400,
    ],
    'an unknown Transfer-Encoding': [post(['transfer-encoding: xchunked'], '0\r\n\r\n'), 501],
    'two Transfer-Encodings': [
      post(['transfer-encoding: chunked', 'transfer-encoding: identity'], '0\r\n\r\n'),
      400,
    ],
    'a Transfer-Encoding that we do not know before chunked': [
      post(['transfer-encoding: gzip, chunked'], '0\r\n\r\n'),
      501,
    ],
    'Transfer-Encoding in HTTP/1.0': [
      'POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
    ],
    'a chunk size that is none': [
      post(['transfer-encoding: chunked'], 'zz\r\nab\r\n0\r\n\r\n'),
      400,
    ],
    'a chunk size with 0x': [post(['transfer-encoding: chunked'], '0x2\r\nab\r\n0\r\n\r\n'), 400],
    'a chunk size that overflows': [
      post(['transfer-encoding: chunked'], 'fffffffffffffffff2\r\nab\r\n0\r\n\r\n'),
      400,
    ],
    'a chunk that overruns': [post(['transfer-encoding: chunked'], '2\r\nabcd\r\n0\r\n\r\n'), 400],
    'a line feed in a chunk extension': [
      post(['transfer-encoding: chunked'], '2;\nxx\r\n4\r\n\r\n'),
      400,
    ],
    'chunks with bare line feeds': [post(['transfer-encoding: chunked'], '2\nab\n0\n\n'), 400],
    'a target over the limit': [get(`/${'a'.repeat(200)}`), 414],
    'a target over all limits': [get(`/${'a'.repeat(20_000)}`), 414],
    'headers over the limit': [get('/', `x-a: ${'a'.repeat(1000)}`), 431],
    'headers over all limits': [get('/', `x-a: ${'a'.repeat(20_000)}`), 431],
    'more than 128 fields': [get('/', ...Array.from({ length: 130 }, () => 'x:y')), 431],
    'a body over the limit, by its length': [post(['content-length: 101']), 413],
    'a body over the limit, expected': [post(['expect: 100-continue', 'content-length: 101']), 413],
    'a body over the limit, in a chunk': [
      post(['transfer-encoding: chunked'], `66\r\n${'a'.repeat(102)}`),
      413,
    ],
    'headers too slow': ['GET / HTTP/1.1\r\n', 408],
    'a body too slow': [post(['content-length: 5'], 'abc'), 408],
    'a chunked body too slow': [post(['transfer-encoding: chunked'], '2\r\nab\r\n'), 408],
    // Bun's parser knows no asterisk. Nothing is served there, and no client of an API asks for it.
    'OPTIONS for the whole server': ['OPTIONS * HTTP/1.1\r\nhost: test\r\n\r\n', [200, 400]],
  }
  const small = {
    maxBodyBytes: 100,
    maxHeaderBytes: 600,
    maxTargetBytes: 100,
    requestTimeoutMs: 100,
  }

  for (const [name, [bytes, expected]] of Object.entries(broken)) {
    const status = typeof expected === 'number' ? expected : expected[runtime === 'node' ? 0 : 1]
    test(`${name}: ${status}`, async () => {
      let handled = 0
      const { send } = await serve((request) => {
        handled += 1
        return echo(request)
      }, small)
      // Nothing that follows may be taken for a request.
      const wire = send(bytes)
      const reply = await wire.reply()
      expect(reply.status).toBe(status)
      if (status === 200) return
      expect(reply.body).toBe(`{"status":${status}}`)
      expect(reply.headers.get('content-type')).toBe('application/problem+json')
      expect(reply.headers.get('connection')).toBe('close')
      const before = handled
      wire.send(get('/smuggled'))
      expect(await wire.closed).toBe('')
      expect(handled).toBe(before)
    })
  }

  test('requests at the limits are served', async () => {
    const { send } = await serve(echo, { maxBodyBytes: 3, maxHeaderBytes: 100, maxTargetBytes: 10 })
    const target = `/${'a'.repeat(9)}`
    // 'host: test' and the line ends count.
    const filler = `x: ${'y'.repeat(100 - 'host: test\r\ncontent-length: 3\r\nx: \r\n'.length)}`
    const wire = send(
      `POST ${target} HTTP/1.1\r\nhost: test\r\ncontent-length: 3\r\n${filler}\r\n\r\nabc`,
    )
    expect((await wire.reply()).body).toBe(`POST ${target} 3`)
    const more = send(`GET / HTTP/1.1\r\nhost: test\r\ncontent-length: 3\r\n${filler}y\r\n\r\nabc`)
    expect((await more.reply()).status).toBe(431)
  })

  test('a client that trickles its headers is refused all the same', async () => {
    const { send } = await serve(echo, { requestTimeoutMs: 100 })
    const wire = send('GET / HTTP/1.1\r\nx: ')
    const trickle = setInterval(() => wire.send('y'), 10)
    try {
      expect((await wire.reply()).status).toBe(408)
    } finally {
      clearInterval(trickle)
    }
  })

  test('a client that sends all of a large body before it reads gets its refusal', async () => {
    const { open } = await serve(echo, { maxBodyBytes: 1000 })
    const mega = 'a'.repeat(4_000_000)
    const chunk = `${mega.length.toString(16)}\r\n${mega}\r\n0\r\n\r\n`
    const cases: readonly (readonly [string, number])[] = [
      [post([`content-length: ${mega.length}`], mega), 413],
      [post(['transfer-encoding: chunked'], chunk), 413],
      [post(['transfer-encoding: chunked'], `zz\r\n${mega}`), 400],
      [`GARBAGE\r\n${mega}`, 400],
    ]
    for (const [bytes, status] of cases) {
      const wire = open()
      wire.socket.pause()
      await new Promise((resolve) => wire.socket.write(bytes, 'latin1', resolve))
      wire.socket.resume()
      expect((await wire.reply()).status).toBe(status)
    }
  })

  test('the refusal of a second request waits for the first reply', async () => {
    const go = signal()
    const { send } = await serve(async (request) => {
      if (request.target === '/first') await go.fired
      return text(request.target)
    })
    const wire = send(get('/first') + 'GARBAGE\r\n\r\n')
    // Once another connection is served, what came before is read.
    await send(get('/other')).reply()
    go.fire()
    expect((await wire.reply()).body).toBe('/first')
    expect((await wire.reply()).body).toBe('{"status":400}')
    expect(await wire.closed).toBe('')
  })

  test('what comes behind a refused request is not run', async () => {
    const seen: string[] = []
    const { send } = await serve((request) => {
      seen.push(request.target)
      return Promise.resolve(text('ok'))
    })
    const wire = send(get(`/${'a'.repeat(9000)}`) + get('/behind'))
    expect((await wire.reply()).status).toBe(414)
    wire.send(get('/later'))
    expect(await wire.closed).toBe('')
    await send(get('/other')).reply()
    expect(seen).toEqual(['/other'])
  })

  test('a handler sees why it cannot have the body, and may answer for itself', async () => {
    const { send } = await serve(
      async (request) => {
        try {
          return await echo(request)
        } catch (error) {
          if (!(error instanceof HttpRefusal)) throw error
          return text(`mine: ${error.status}`, error.status)
        }
      },
      { maxBodyBytes: 5, requestTimeoutMs: 100 },
    )
    const cases: readonly (readonly [string, number])[] = [
      [post(['transfer-encoding: chunked'], '6\r\nabcdef\r\n'), 413],
      [post(['transfer-encoding: chunked'], '2\r\nab\r\nzz\r\n'), 400],
      [post(['content-length: 5'], 'abc'), 408],
    ]
    for (const [bytes, status] of cases) {
      const wire = send(bytes)
      const reply = await wire.reply()
      expect([reply.status, reply.body]).toEqual([status, `mine: ${status}`])
      expect(reply.headers.get('connection')).toBe('close')
      await wire.closed
    }
  })

  test('a body that ends with its connection rejects', async () => {
    const asked = signal()
    const failed = signal<unknown>()
    const { send } = await serve(async (request) => {
      asked.fire()
      await request.body().catch(failed.fire)
      return text('nobody reads this')
    })
    const wire = send(post(['content-length: 5'], 'abc'))
    await asked.fired
    wire.socket.destroy()
    expect(await failed.fired).toBeInstanceOf(HttpRefusal)
  })
})

describe('start and stop', () => {
  const detail = async (host: string, port: number): Promise<string> => {
    const listening = listenHttp({
      host,
      port,
      limits: defaultHttpLimits,
      handle: echo,
      refuse: (status) => text('', status),
    })
    const error = await listening.then(
      () => undefined,
      (reason: unknown) => reason,
    )
    expect(error).toBeInstanceOf(ServalError)
    expect((error as ServalError).code).toBe('cannot-start')
    return (error as ServalError).message
  }

  test('an address that cannot be had is named, with what to do', async () => {
    const { server } = await serve(echo)
    expect(await detail('127.0.0.1', server.port)).toBe(
      `port ${server.port} on 127.0.0.1 is in use; stop what uses it or set another port`,
    )
    // 203.0.113.0/24 is for documentation (RFC 5737): no machine has it.
    expect(await detail('203.0.113.9', 0)).toMatch(
      /^port 0 on 203\.0\.113\.9: the host is not an address/,
    )
    expect(await detail('127.0.0.1', 70_000)).toMatch(/^port 70000 on 127\.0\.0\.1 is not a port/)
  })

  test('drain answers what has begun, closes idle connections, takes no new ones', async () => {
    const asked = signal()
    const go = signal()
    const { server, open } = await serve(async (request) => {
      if (request.target !== '/slow') return text('idle')
      asked.fire()
      await go.fired
      return text('slow')
    })
    const [idle, fresh, busy] = [open(), open(), open()]
    await new Promise((resolve) => fresh.socket.once('connect', resolve))
    await idle.send(get('/')).reply()
    busy.send(get('/slow'))
    await asked.fired
    let drained = false
    const draining = server.drain().then(() => (drained = true))
    await idle.closed
    // Bun has the kernel hold a connection back until it speaks, so that only then it can be
    // closed.
    await fresh.send(get('/')).closed
    await open().closed
    expect(drained).toBe(false)
    go.fire()
    const reply = await busy.reply()
    expect([reply.body, reply.headers.get('connection')]).toEqual(['slow', 'close'])
    await busy.closed
    await draining
    await server.drain()
  })

  test('drain waits for a stream that has begun, then closes its connection', async () => {
    const go = signal()
    const { server, send } = await serve(() =>
      Promise.resolve({
        status: 200,
        headers: {},
        body: (async function* () {
          yield encoder.encode('one ')
          await go.fired
          yield encoder.encode('two')
        })(),
      }),
    )
    const wire = send(get('/'))
    await wire.until((seen) => (seen.includes('one') ? true : undefined))
    const draining = server.drain()
    go.fire()
    expect((await wire.reply()).body).toBe('one two')
    await wire.closed
    await draining
  })

  test('close ends running requests too, and tells their handlers', async () => {
    const asked = signal()
    const left = signal()
    const { server, send } = await serve(async (request) => {
      request.signal.addEventListener('abort', () => left.fire())
      asked.fire()
      await left.fired
      return text('never')
    })
    const wire = send(get('/'))
    await asked.fired
    const draining = server.drain()
    await server.close()
    await draining
    await left.fired
    expect(await wire.closed).toBe('')
    await expect(send(get('/')).reply()).rejects.toThrow('closed after ""')
  })
})
