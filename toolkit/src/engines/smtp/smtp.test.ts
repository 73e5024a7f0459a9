import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { SMTPServer } from 'smtp-server'
import { afterEach, expect, test } from 'vitest'
import { smtp, type SmtpMailer } from './index.ts'

const mail = {
  messageId: '<0197-1@shop.test>',
  to: 'ada@shop.test',
  subject: 'Your order is confirmed – £12.99',
  text: 'Hello Ada,\n\nTotal: £12.99\n',
}

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

const mailerTo = (port: number): SmtpMailer => {
  const mailer = smtp({ url: `smtp://127.0.0.1:${port}`, from: 'The Shop <orders@shop.test>' })
  ends.push(() => mailer.close())
  return mailer
}

interface Received {
  readonly from: string
  readonly to: readonly string[]
  readonly raw: string
}

/** Replies with a code instead of taking: to the sender, the recipient or the mail. */
interface Refusals {
  mail?: number
  rcpt?: number
  data?: number
}

const reply = (code: number) =>
  Object.assign(new Error(`5.1.1 <ada@shop.test> is not welcome`), { responseCode: code })

const startServer = async (refusals: Refusals = {}) => {
  const received: Received[] = []
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS', 'AUTH'],
    disableReverseLookup: true,
    onMailFrom: (_, __, done) => done(refusals.mail === undefined ? null : reply(refusals.mail)),
    onRcptTo: (_, __, done) => done(refusals.rcpt === undefined ? null : reply(refusals.rcpt)),
    onData: (stream, session, done) => {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => {
        if (refusals.data !== undefined) return done(reply(refusals.data))
        const { mailFrom, rcptTo } = session.envelope
        received.push({
          from: mailFrom === false ? '' : mailFrom.address,
          to: rcptTo.map((each) => each.address),
          raw: Buffer.concat(chunks).toString('utf8'),
        })
        done()
      })
    },
  })
  server.on('error', () => undefined)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  ends.push(() => new Promise<void>((resolve) => server.close(resolve)))
  return { port: (server.server.address() as AddressInfo).port, received }
}

const header = (raw: string, name: string) =>
  new RegExp(`^${name}: (.*(?:\r\n[ \t].*)*)`, 'im').exec(raw)?.[1]

test('a mail arrives with its sender, recipient, subject, text and Message-ID', async () => {
  const { port, received } = await startServer()
  await mailerTo(port).send(mail)
  expect(received).toHaveLength(1)
  const [{ from, to, raw } = { from: '', to: [], raw: '' }] = received
  expect({ from, to }).toEqual({ from: 'orders@shop.test', to: ['ada@shop.test'] })
  expect(header(raw, 'Message-ID')).toBe(mail.messageId)
  expect(header(raw, 'From')).toBe('The Shop <orders@shop.test>')
  expect(header(raw, 'To')).toBe('ada@shop.test')
  expect(header(raw, 'Subject')).toMatch(/^=\?UTF-8\?Q\?Your_order/)
  expect(header(raw, 'Auto-Submitted')).toBe('auto-generated')
  const encoded = raw.slice(raw.indexOf('\r\n\r\n') + 4)
  const text =
    header(raw, 'Content-Transfer-Encoding') === 'base64'
      ? Buffer.from(encoded, 'base64').toString('utf8')
      : decodeURIComponent(
          encoded.replaceAll('=\r\n', '').replaceAll('%', '%25').replaceAll('=', '%'),
        )
  expect(text.replaceAll('\r\n', '\n').trim()).toBe(mail.text.trim())
})

test('a mail sent again bears the same Message-ID', async () => {
  const { port, received } = await startServer()
  const mailer = mailerTo(port)
  await mailer.send(mail)
  await mailer.send(mail)
  expect(received.map(({ raw }) => header(raw, 'Message-ID'))).toEqual([
    mail.messageId,
    mail.messageId,
  ])
})

test('a line break in a subject adds no header', async () => {
  const { port, received } = await startServer()
  await mailerTo(port).send({ ...mail, subject: 'Hello\r\nBcc: eve@shop.test' })
  expect(received[0]?.to).toEqual(['ada@shop.test'])
  expect(header(received[0]?.raw ?? '', 'Bcc')).toBeUndefined()
})

test('a refused recipient, and a refused mail, is not to be retried, and its failure names nobody', async () => {
  for (const refusals of [{ rcpt: 550 }, { data: 554 }]) {
    const { port } = await startServer(refusals)
    const error = await mailerTo(port)
      .send(mail)
      .catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'mail-refused', retryable: false, kind: 'unprocessable' })
    expect((error as Error).message).not.toContain('ada')
    expect((error as Error).cause).toBeUndefined()
  }
})

test('an address that is none is refused', async () => {
  const { port } = await startServer()
  await expect(mailerTo(port).send({ ...mail, to: '' })).rejects.toMatchObject({
    code: 'mail-refused',
  })
})

test('a refusal for now (4xx), and of the sender, is unavailability', async () => {
  for (const refusals of [{ rcpt: 450 }, { data: 451 }, { mail: 550 }]) {
    const { port } = await startServer(refusals)
    await expect(mailerTo(port).send(mail)).rejects.toMatchObject({
      code: 'unavailable',
      retryable: true,
      ran: 'not-sent',
    })
  }
})

/** A server that is no mail server; `talk` is given each connection. */
const startSocket = async (talk: (socket: Socket) => void): Promise<number> => {
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    talk(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  ends.push(() => {
    for (const socket of sockets) socket.destroy()
    return new Promise<void>((resolve) => server.close(() => resolve()))
  })
  return (server.address() as AddressInfo).port
}

test('a refused connection is unavailability: nothing was sent', async () => {
  const port = await startSocket(() => undefined)
  await ends.pop()?.()
  await expect(mailerTo(port).send(mail)).rejects.toMatchObject({
    code: 'unavailable',
    retryable: true,
    ran: 'not-sent',
  })
})

test('a server that closes every connection is unavailable', async () => {
  const port = await startSocket((socket) => socket.destroy())
  await expect(mailerTo(port).send(mail)).rejects.toMatchObject({ code: 'unavailable' })
})

test('a connection lost after the mail leaves open whether it was taken', async () => {
  const port = await startSocket((socket) => {
    let inMail = false
    socket.write('220 here\r\n')
    socket.on('data', (chunk: Buffer) => {
      const text = chunk.toString()
      if (inMail && text.includes('\r\n.\r\n')) return socket.destroy()
      if (inMail) return
      if (text.startsWith('DATA')) {
        inMail = true
        return socket.write('354 go on\r\n')
      }
      return socket.write('250 fine\r\n')
    })
  })
  await expect(mailerTo(port).send(mail)).rejects.toMatchObject({
    code: 'unavailable',
    ran: 'unknown',
  })
})

test('an aborted mail is given up at once', async () => {
  const giveUp = new AbortController()
  const port = await startSocket(() => giveUp.abort())
  await expect(mailerTo(port).send(mail, giveUp.signal)).rejects.toMatchObject({
    code: 'cancelled',
  })
})

test('a wrong url is told at once, without the password in it', () => {
  for (const url of ['', 'mail.shop.test', 'http://user:geheim@host', 'smtp://'])
    expect(() => smtp({ url, from: 'a@b.test' })).toThrow(/^smtp\.url must be like/)
})
