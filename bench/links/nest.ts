import 'reflect-metadata'
import { Controller, Module } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import {
  ClientProxyFactory,
  MessagePattern,
  Transport,
  type MicroserviceOptions,
  type NatsOptions,
  type TcpClientOptions,
} from '@nestjs/microservices'
import { firstValueFrom } from 'rxjs'
import { totalOf, type Input } from '../calls/quotes.ts'
import type { Engine } from './engines.ts'
import { freePort } from './free-port.ts'

/*
 * Nest's microservices as they come: JSON, one controller with a message pattern, called by `send` of its client proxy. As it
 * comes it validates nothing, and a call has no time-out, no trace and no identity: it is spared all that ours and Moleculer do.
 * Its decorators are called by hand, since types are stripped here and nothing is compiled.
 */

class Quotes {
  quote(input: Input) {
    return totalOf(input)
  }
}
const method = Object.getOwnPropertyDescriptor(Quotes.prototype, 'quote') ?? {}
MessagePattern('quotes.quote')(Quotes.prototype, 'quote', method)
Controller()(Quotes)

class Quoting {}
Module({ controllers: [Quotes] })(Quoting)

const serving = async (options: MicroserviceOptions) => {
  const app = await NestFactory.createMicroservice(Quoting, { ...options, logger: false })
  await app.listen()
}

const calling = async (options: TcpClientOptions | NatsOptions): ReturnType<Engine['call']> => {
  const client = ClientProxyFactory.create(options)
  await client.connect()
  return (input) => firstValueFrom(client.send('quotes.quote', input))
}

const host = '127.0.0.1'
const nats = (url: string): NatsOptions => ({
  transport: Transport.NATS,
  options: { servers: [url] },
})

/** Its own transporter, from process to process. */
export const overTcp: Engine = {
  serve: async () => {
    const port = await freePort()
    await serving({ transport: Transport.TCP, options: { host, port } })
    return String(port)
  },
  call: (address) =>
    calling({ transport: Transport.TCP, options: { host, port: Number(address) } }),
}

/** Through a NATS server, by the package `@nats-io/transport-node`. */
export const overNats: Engine = {
  serve: async (broker) => {
    await serving(nats(broker))
    return broker
  },
  call: (broker) => calling(nats(broker)),
}
