import { createServer, type AddressInfo, type Socket } from 'node:net'

/** A mail server (RFC 5321) that takes everything, shows it to `taken`, and keeps nothing. */
export interface MailSink {
  readonly url: string
  readonly mails: () => number
  close(): void
}

export const openMailSink = async (
  taken: (mail: string) => void = () => undefined,
): Promise<MailSink> => {
  let mails = 0
  const converse = (socket: Socket) => {
    let text = ''
    let inMail = false
    const answer = (line: string) => socket.write(`${line}\r\n`)
    const command = (line: string) => {
      const verb = line.slice(0, 4).toUpperCase()
      if (verb === 'DATA') {
        inMail = true
        answer('354 go on')
      } else if (verb === 'QUIT') {
        answer('221 bye')
        socket.end()
      } else answer('250 ok')
    }
    const read = () => {
      for (;;) {
        const end = text.indexOf(inMail ? '\r\n.\r\n' : '\r\n')
        if (end < 0) return
        const part = text.slice(0, end)
        text = text.slice(end + (inMail ? 5 : 2))
        if (!inMail) command(part)
        else {
          inMail = false
          mails += 1
          taken(part)
          answer('250 taken')
        }
      }
    }
    socket.on('error', () => undefined)
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
      read()
    })
    answer('220 sink')
  }
  const server = createServer(converse)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { url: `smtp://127.0.0.1:${port}`, mails: () => mails, close: () => void server.close() }
}
