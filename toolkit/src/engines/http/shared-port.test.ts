import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { defaultHttpLimits } from '../../link/http.ts'
import { listenHttp } from './index.ts'

const shared = () =>
  listenHttp({
    host: '127.0.0.1',
    port: 0,
    shared: true,
    limits: defaultHttpLimits,
    handle: ({ target }) => Promise.resolve({ status: 200, headers: {}, body: target }),
    refuse: (status) => ({ status, headers: {} }),
  })

const client = async (port: number): Promise<Socket> => {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  return socket
}

const ask = async (socket: Socket, target: string): Promise<string> => {
  let text = ''
  socket.write(`GET ${target} HTTP/1.1\r\nhost: test\r\n\r\n`)
  while (!text.includes(`\r\n\r\n${target}`)) {
    const [bytes]: Buffer[] = await once(socket, 'data')
    text += bytes?.toString('latin1') ?? ''
  }
  return text
}

test('who is between two requests when a shared address is handed over gets the next reply, and is told that it is the last', async () => {
  const server = await shared()
  const kept = await client(server.port)
  expect(await ask(kept, '/first')).toMatch(/connection: keep-alive/i)
  const drained = server.drain()
  const ended = once(kept, 'end')
  expect(await ask(kept, '/last')).toMatch(/connection: close/i)
  await ended
  // The other process may be reached only after this one is gone.
  expect(await ask(await client(server.port), '/late')).toMatch(/connection: close/i)
  await drained
})

test('who stays silent is let go in the end, and close waits for nobody', async () => {
  const [patient, sudden] = await Promise.all([shared(), shared()])
  const [silent, cut] = [await client(patient.port), await client(sudden.port)]
  await Promise.all([ask(silent, '/'), ask(cut, '/')])
  const ends = [once(silent, 'close'), once(cut, 'close')]
  const drained = [patient.drain(), sudden.drain()]
  await sudden.close()
  await Promise.all([...drained, ...ends])
})
