import { hmacSha256, service, systemEnv } from 'serval'
import { httpTransport } from 'serval/engines/http'
import { joseIdentities } from 'serval/engines/jose'
import { memoryStores } from 'serval/engines/memory'
import { memoryCache } from 'serval/engines/memory-cache'
import { wireTransport } from 'serval/engines/sockets'
import { startServices } from '../../toolkit/src/host/services.ts'
import type { Link } from '../../toolkit/src/link/call.ts'
import { alone, clientOf, guardedLink } from '../../toolkit/src/link/client.ts'
import type { OpenTransport } from '../../toolkit/src/link/transport.ts'
import { logger } from '../../toolkit/src/telemetry/log.ts'
import { quotes } from '../calls/serval.ts'
import { totalOf } from '../calls/quotes.ts'
import type { Engine } from './engines.ts'

const env = systemEnv()
const log = logger({ env, level: 'warn', write: (line) => void process.stderr.write(`${line}\n`) })
const secretOf = (purpose: string) =>
  Promise.resolve(hmacSha256(new TextEncoder().encode('bench'), purpose))

const context = {
  env,
  log,
  identities: joseIdentities({ env, seedOf: secretOf }),
  secret: () => secretOf('link'),
}

const quotesService = service(quotes, {
  operations: { quote: async (input) => totalOf(input) },
})

/** Calls as one host makes them to another: every guard, validation both ways, deadline, correlation, identity. */
const over = (open: OpenTransport): Engine => ({
  serve: async () => {
    let own: Link | undefined
    await startServices({
      services: [quotesService],
      stores: memoryStores(),
      env,
      log,
      ports: {},
      cache: memoryCache({}),
      secret: (name, purpose) => secretOf(`${name}/${purpose}`),
      answering: (link) => Promise.resolve(void (own = link)),
    })
    if (own === undefined) throw new Error('the services answer nobody')
    const leaving = new AbortController().signal
    const place = { host: '127.0.0.1', port: 0 }
    return (await open(context).listen({ ...place, link: own, leaving })).address
  },
  call: (address) => {
    const link = guardedLink(open(context).linkTo(address), env)
    const { quote } = clientOf(quotes, link, alone(env, { kind: 'service', name: 'bench' }))
    return Promise.resolve((input) => quote({ lines: [...input.lines] }))
  },
})

export const http: Engine = over(httpTransport())
export const wire: Engine = over(wireTransport())
