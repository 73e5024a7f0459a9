import { connect } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { afterEach, describe, expect, test } from 'vitest'
import { sha256 } from '../base/hash.ts'
import { httpTransport } from '../engines/http/index.ts'
import { joseIdentities } from '../engines/jose/index.ts'
import { wireTransport } from '../engines/sockets/index.ts'
import { failedHandshake, type Certificates, type Credentials } from '../link/certificates.ts'
import { callTo } from '../link/placement.suite.ts'
import { testOnly } from '../link/test-only-certificates.suite.ts'
import { transports } from '../link/transport.ts'
import { logger } from '../telemetry/log.ts'
import { eventually } from '../testing/eventually.ts'
import { manualEnv } from '../testing/manual-env.ts'

/* Links over TLS, between two hosts that have certificates of the same authority, and with others that have not. */

const bytesOf = (text: string) => new Uint8Array(Buffer.from(sha256(text, 'hex'), 'hex'))
const fixed = (current: Credentials): Certificates => ({ current, renew: () => false })

/** Bun (1.4.5) tells nobody of a TLS handshake that failed on its way to HTTP, and takes certificates of such a server once. */
const onBun = 'Bun' in globalThis

for (const scheme of ['wire', 'http'])
  describe(`over ${scheme}s`, () => {
    const lessOnBun = onBun && scheme === 'http'
    const closing: (() => Promise<void> | void)[] = []
    afterEach(async () => {
      for (const close of closing.splice(0)) await close()
    })
    const env = manualEnv()
    const hostWith = (certificates?: Certificates) => {
      const lines: string[] = []
      const transport = transports(
        { wire: wireTransport({ certificates }), http: httpTransport({ certificates }) },
        scheme,
      )({
        env,
        log: logger({ env, write: (line) => lines.push(line) }),
        identities: joseIdentities({ env, seedOf: (issuer) => Promise.resolve(bytesOf(issuer)) }),
        secret: () => Promise.resolve(bytesOf('secret')),
      })
      closing.push(transport.close)
      return { ...transport, lines }
    }
    const call = () => callTo('read', { input: 'said', deadline: env.now() + 60_000 })
    const serving = async (certificates?: Certificates) => {
      const host = hostWith(certificates)
      let calls = 0
      const link = {
        call: ({ input }: { input: unknown }) => {
          calls += 1
          return Promise.resolve({ value: input })
        },
      }
      const place = { host: '127.0.0.1', port: 0 }
      const server = await host.listen({ ...place, link, leaving: new AbortController().signal })
      closing.unshift(server.close)
      return { ...server, lines: host.lines, calls: () => calls }
    }
    const told = async (lines: readonly string[], times: number) => {
      const refused = () => lines.filter((line) => line.includes(failedHandshake))
      if (!lessOnBun)
        await eventually(() => refused().length >= times, 'the lines of the server’s log')
    }
    const asked = (address: string, certificates?: Certificates) =>
      hostWith(certificates)
        .linkTo(address)
        .call(call())
        .then(
          () => 'answered',
          (error: unknown) => String(error),
        )

    test('hosts of one authority call each other, and the address says that it is encrypted', async () => {
      const { address } = await serving(fixed(testOnly.host))
      expect(address).toMatch(new RegExp(`^${scheme}s://127\\.0\\.0\\.1:\\d+$`))
      const reply = await hostWith(fixed(testOnly.host)).linkTo(address).call(call())
      expect(reply).toEqual({ value: 'said' })
      const port = Number(new URL(address).port)
      const socket = connectTls({ ...testOnly.host, port, checkServerIdentity: () => undefined })
      const protocol = await new Promise((resolve) =>
        socket.on('secureConnect', () => resolve(socket.getProtocol())),
      )
      expect(protocol).toBe('TLSv1.3')
      socket.destroy()
    })

    test('who has a certificate of another authority, one that has expired, or none, is refused, on both sides', async () => {
      const { other, host, expired } = testOnly
      const { address, lines, calls } = await serving(fixed(host))
      // It would take the server's, but has none that the server takes.
      for (const strange of [
        { ...other, ca: host.ca },
        { ...expired, ca: host.ca },
      ])
        expect(await asked(address, fixed(strange))).toMatch(/connection broke|certificate|hang up/)
      // The server would take it, but it does not take the server's.
      expect(await asked(address, fixed({ ...host, ca: other.ca }))).toMatch(/cannot be reached/)
      const bare = connectTls({ ca: host.ca, port: Number(new URL(address).port), checkServerIdentity: () => undefined }) // prettier-ignore
      await new Promise<void>((resolve) => bare.on('error', () => resolve()))
      await told(lines, 3)
      expect(calls()).toBe(0)
    })

    test('a setting of the runtime that turns verification off is not for links', async () => {
      const { other, host } = testOnly
      const { address, calls } = await serving(fixed(host))
      const setting = 'NODE_TLS_REJECT_UNAUTHORIZED'
      const before = process.env[setting]
      process.env[setting] = '0'
      try {
        const stranger = await serving(fixed({ ...other, ca: host.ca }))
        expect(await asked(stranger.address, fixed(host))).toMatch(/cannot be reached/)
        expect(await asked(address, fixed({ ...other, ca: host.ca }))).not.toBe('answered')
        expect([calls(), stranger.calls()]).toEqual([0, 0])
      } finally {
        if (before === undefined) delete process.env[setting]
        else process.env[setting] = before
      }
    })

    test('nothing looks for renewed certificates where the port could not be had, or after the end', async () => {
      const first = await serving(fixed(testOnly.host))
      const { waiting } = env
      const { listen } = hostWith(fixed(testOnly.host))
      const link = { call: () => Promise.reject() }
      const place = { host: '127.0.0.1', link, leaving: new AbortController().signal }
      const taken = Number(new URL(first.address).port)
      await expect(listen({ ...place, port: taken })).rejects.toThrow(`port ${taken}`)
      expect(env.waiting).toBe(waiting)
      const server = await listen({ ...place, port: 0 })
      expect(env.waiting).toBe(lessOnBun ? waiting : waiting + 1)
      await server.close()
      expect(env.waiting).toBe(waiting)
    })

    test('one side that encrypts and one that does not are told so, or understand nothing', async () => {
      const encrypted = await serving(fixed(testOnly.host))
      const plain = await serving()
      const own = (name: string) => `this host's links are ${name}://`
      expect(await asked(encrypted.address)).toContain(own(scheme))
      expect(await asked(plain.address, fixed(testOnly.host))).toContain(own(`${scheme}s`))
      const downgraded = encrypted.address.replace('s://', '://')
      expect(await asked(downgraded)).toMatch(/broke|link of a fleet|1024 bytes/)
      const upgraded = plain.address.replace('://', 's://')
      expect(await asked(upgraded, fixed(testOnly.host))).not.toBe('answered')
      expect([encrypted.calls(), plain.calls()]).toEqual([0, 0])
      await told(encrypted.lines, 1)
    })

    test('renewed certificates are taken within a minute, without an end of what is connected', async () => {
      let certificates = testOnly.host
      let renewed = false
      const renewing: Certificates = {
        get current() {
          return certificates
        },
        renew: () => renewed && !(renewed = false),
      }
      const { address, lines } = await serving(renewing)
      const before = hostWith(fixed(testOnly.host)).linkTo(address)
      expect(await before.call(call())).toEqual({ value: 'said' })
      certificates = testOnly.other
      renewed = true
      await env.advance(60_000)
      if (lessOnBun) return expect(lines.join()).toContain('at the next start only')
      expect(lines.join()).toContain('took its renewed certificates')
      expect(await asked(address, fixed(testOnly.other))).toBe('answered')
      expect(await asked(address, fixed(testOnly.host))).not.toBe('answered')
      const bare = connectTls({ ca: testOnly.other.ca, port: Number(new URL(address).port), checkServerIdentity: () => undefined }) // prettier-ignore
      await new Promise<void>((resolve) => bare.on('error', () => resolve()))
    })

    test('who connects and does not begin with TLS is let go', async () => {
      const { address, lines } = await serving(fixed(testOnly.host))
      const socket = connect({ port: Number(new URL(address).port), host: '127.0.0.1' })
      socket.on('error', () => undefined)
      const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()))
      socket.resume()
      socket.write('\0\0\0\u002a\u0001\0\0\0\0serval')
      await closed
      await told(lines, 1)
    })
  })
