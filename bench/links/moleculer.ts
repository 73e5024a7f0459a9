import { createServer, type AddressInfo } from 'node:net'
import { ServiceBroker } from 'moleculer'
import { quotesSchema, settings } from '../calls/moleculer.ts'
import type { Engine } from './engines.ts'

const freePort = () =>
  new Promise<number>((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })

const brokerOn = (nodeID: string, port: number, urls: string) =>
  new ServiceBroker({
    nodeID,
    logger: false,
    ...settings['deadline-trace'],
    transporter: { type: 'TCP', options: { udpDiscovery: false, port, urls } },
  })

/** Moleculer's own transporter over TCP, with a time-out and a trace for each call. */
export const moleculer: Engine = {
  serve: async () => {
    const [port, other] = [await freePort(), await freePort()]
    const broker = brokerOn('server', port, `127.0.0.1:${other}/client`)
    broker.createService(quotesSchema)
    await broker.start()
    return `${port}:${other}`
  },
  call: async (address) => {
    const [port, own] = address.split(':').map(Number)
    const broker = brokerOn('client', own ?? 0, `127.0.0.1:${port}/server`)
    await broker.start()
    await broker.waitForServices('quotes')
    return (input) => broker.call('quotes.quote', { lines: [...input.lines] })
  },
}
