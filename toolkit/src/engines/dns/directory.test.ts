import { afterEach, expect, test } from 'vitest'
import { systemEnv } from '../../base/env.ts'
import { eventually } from '../../testing/eventually.ts'
import { dnsDirectory } from './directory.ts'
import { dnsServer, type DnsRecord } from './dns-server.suite.ts'

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

const directoryAt = (at: string) =>
  dnsDirectory({ env: systemEnv(), contracts: ['catalog', 'orders'], scheme: 'wire', at })

const setting = async (at: string) => {
  const server = await dnsServer()
  ends.push(() => server.close())
  const told: string[] = []
  const failed: string[] = []
  const watch = () =>
    ends.push(
      directoryAt(`${at}?every=0.02&server=${server.address}`).watch(
        (peers) =>
          told.push(peers.map((peer) => `${peer.address} ${peer.contracts.join(' ')}`).join(', ')),
        (error) => failed.push(String(error)),
      ),
    )
  const becomes = (wanted: string) =>
    eventually(() => told.at(-1) === wanted, `${wanted} (${told.at(-1)})`)
  /** Until each name was asked for twice more, so that an answer to the first has been seen to. */
  const askedAgain = async () => {
    const before = server.asked.length
    await eventually(() => server.asked.length > before + 8, 'further look-ups')
  }
  return { server, told, failed, watch, becomes, askedAgain }
}

const a = (address: string): DnsRecord => ({ type: 'A', address })

test('addresses of a name for each contract, IPv6 too; changes are noticed', async () => {
  const { server, failed, watch, becomes } = await setting('{contract}.shop.test:7070')
  server.names.set('catalog.shop.test', [a('10.0.0.1')])
  server.names.set('orders.shop.test', [a('10.0.0.2'), a('10.0.0.1')])
  watch()
  await becomes(
    'wire://10.0.0.1:7070 catalog catalog$log orders orders$log, wire://10.0.0.2:7070 orders orders$log',
  )
  server.names.set('orders.shop.test', [
    { type: 'AAAA', address: [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3] },
  ])
  await becomes('wire://10.0.0.1:7070 catalog catalog$log, wire://[fd00::3]:7070 orders orders$log')
  expect(failed).toEqual([])
})

test('SRV records say the port of each host; those of the lowest priority hold', async () => {
  const { server, watch, becomes } = await setting('_link._tcp.shop.test')
  server.names.set('_link._tcp.shop.test', [
    { type: 'SRV', port: 7001, target: 'one.shop.test' },
    { type: 'SRV', port: 7002, target: 'two.shop.test' },
    { type: 'SRV', port: 7003, target: 'gone.shop.test' },
    { type: 'SRV', port: 7004, priority: 1, target: 'one.shop.test' },
  ])
  server.names.set('one.shop.test', [a('10.0.0.1')])
  server.names.set('two.shop.test', [a('10.0.0.2')])
  watch()
  const all = 'catalog catalog$log orders orders$log'
  await becomes(`wire://10.0.0.1:7001 ${all}, wire://10.0.0.2:7002 ${all}`)
})

test('what was known of a name stays while it is not answered, wrongly, or with nothing, and that is told', async () => {
  const { server, told, failed, watch, becomes, askedAgain } = await setting(
    '{contract}.shop.test:7070',
  )
  server.names.set('catalog.shop.test', [a('10.0.0.1')])
  server.names.set('orders.shop.test', [a('10.0.0.2')])
  watch()
  const orders = 'wire://10.0.0.2:7070 orders orders$log'
  await becomes(`wire://10.0.0.1:7070 catalog catalog$log, ${orders}`)
  server.names.set('catalog.shop.test', [])
  await eventually(() => failed.length === 1, 'a failure')
  server.names.set('catalog.shop.test', 'fail')
  await askedAgain()
  server.names.delete('catalog.shop.test')
  await askedAgain()
  expect(told).toHaveLength(1)
  expect(failed).toEqual([expect.stringContaining('the DNS knows no host by catalog.shop.test')])
  server.names.set('catalog.shop.test', [a('10.0.0.3')])
  await becomes(`${orders}, wire://10.0.0.3:7070 catalog catalog$log`)
})

test('a server that hangs or talks nonsense stops nobody, and is waited for', async () => {
  const { server, failed, watch, becomes } = await setting('{contract}.shop.test:7070')
  server.names.set('catalog.shop.test', [a('10.0.0.1')])
  server.names.set('orders.shop.test', 'garbage')
  watch()
  await becomes('wire://10.0.0.1:7070 catalog catalog$log')
  server.names.set('orders.shop.test', [a('10.0.0.2')])
  await becomes('wire://10.0.0.1:7070 catalog catalog$log, wire://10.0.0.2:7070 orders orders$log')
  server.names.set('orders.shop.test', 'hang')
  const before = server.asked.length
  await eventually(() => server.asked.length > before + 1, 'a look-up that hangs')
  expect(failed.length).toBeLessThan(2)
  // Ends although look-ups hang.
})

test('many addresses are taken up to a bound', async () => {
  const { server, told, watch } = await setting('shop.test:7070')
  // More do not go into one packet that is not refused.
  server.names.set(
    'shop.test',
    Array.from({ length: 300 }, (_, n) => a(`10.0.${n >> 8}.${n & 255}`)),
  )
  watch()
  await eventually(() => told.length > 0, 'hosts')
  expect(told[0]?.split(', ').length).toBe(256)
})

test.each([
  ['', 'it is a name and a port'],
  ['orders.shop.test', 'it is a name and a port'],
  [':7070', 'a name is made of'],
  ['a:0', 'a port is 1 to 65535, not 0'],
  ['a:70000', 'a port is 1 to 65535, not 70000'],
  ['a:1?every=soon', 'every is 0.01 to 3600 seconds, not soon'],
  ['a:1?server=ns.test', 'server is an IP address, with or without a port, not ns.test'],
  ['a:1?evry=1', 'there is no option evry, but every, server'],
])('a text that is wrong is refused with what is wrong: %s', (at, message) => {
  expect(() => directoryAt(at)).toThrow(message)
})

test('servers may be given by IPv4 and IPv6, with and without a port', () => {
  directoryAt('a:1?server=10.0.0.1,10.0.0.1:53,fd00::1,[fd00::1]:53')
})
