import { ServiceBroker, type BrokerOptions } from 'moleculer'
import { quotesSchema, settings } from '../calls/moleculer.ts'
import type { Engine } from './engines.ts'
import { freePort } from './free-port.ts'

/*
 * Moleculer with its JSON serializer, validation of what comes in, a time-out for each call, and a trace that nobody exports;
 * everything else as it comes: no retry, breaker or bulkhead, and no identity, which it has none of.
 */

type Transporter = NonNullable<BrokerOptions['transporter']>

const brokerOn = (nodeID: string, transporter: Transporter) =>
  new ServiceBroker({ nodeID, logger: false, ...settings['deadline-trace'], transporter })

const serving = async (transporter: Transporter) => {
  const broker = brokerOn('server', transporter)
  broker.createService(quotesSchema)
  await broker.start()
}

const calling = async (transporter: Transporter): ReturnType<Engine['call']> => {
  const broker = brokerOn('client', transporter)
  await broker.start()
  await broker.waitForServices('quotes')
  return (input) => broker.call('quotes.quote', { lines: [...input.lines] })
}

const tcp = (port: number, urls: string): Transporter => ({
  type: 'TCP',
  options: { udpDiscovery: false, port, urls },
})

/** Its own transporter, from process to process. */
export const overTcp: Engine = {
  serve: async () => {
    const [port, other] = [await freePort(), await freePort()]
    await serving(tcp(port, `127.0.0.1:${other}/client`))
    return `${port}:${other}`
  },
  call: (address) => {
    const [port, own = 0] = address.split(':').map(Number)
    return calling(tcp(own, `127.0.0.1:${port}/server`))
  },
}

const nats = (url: string): Transporter => ({ type: 'NATS', options: { url } })

/** Through a NATS server, by the package `nats`; the server balances, as Moleculer sets it up for NATS by itself. */
export const overNats: Engine = {
  serve: async (broker) => {
    await serving(nats(broker))
    return broker
  },
  call: (broker) => calling(nats(broker)),
}
