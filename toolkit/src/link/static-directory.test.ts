import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { failure } from '../base/failure.ts'
import { manualEnv } from '../testing/manual-env.ts'
import { balancedLink } from './balance.ts'
import type { Peer } from './directory.ts'
import { directoryFrom, namesFrom, withOptions } from './directory-setting.ts'
import { callTo } from './placement.suite.ts'
import { staticDirectory } from './static-directory.ts'

const contracts = ['catalog', 'orders']
const peersAt = (at: string) => {
  let peers: readonly Peer[] = []
  staticDirectory({ contracts, at }).watch((told) => (peers = told))
  return peers.map((peer) => `${peer.address} ${peer.contracts.join(' ')}`)
}

test('a list says who serves what, and their logs; an address that is named twice is one host', () => {
  expect(
    peersAt('orders=wire://10.0.0.7:7070, http://b.test:80 ;catalog=wire://10.0.0.7:7070;'),
  ).toEqual([
    'http://b.test:80 orders orders$log',
    'wire://10.0.0.7:7070 catalog catalog$log orders orders$log',
  ])
  expect(peersAt('all=wire://[fd00::7]:7070')).toEqual([
    'wire://[fd00::7]:7070 catalog catalog$log orders orders$log',
  ])
})

test.each([
  ['', 'it needs at least one entry of the form contracts=addresses'],
  ['orders', 'an entry is contracts=addresses'],
  ['orders=', 'an entry is contracts=addresses'],
  ['=wire://a:1', 'an entry is contracts=addresses'],
  ['order=wire://a:1', 'there is no contract order, but catalog, orders, or all'],
  ['orders=10.0.0.7:7070', 'an address is a scheme, a host and a port'],
  ['orders=wire://10.0.0.7', 'an address is a scheme, a host and a port'],
  ['orders=wire://a:1/path', 'an address is a scheme, a host and a port'],
  ['orders=wire://me:secret@a:1', 'an address is a scheme, a host and a port'],
  [
    `all=${Array.from({ length: 1_001 }, (_, n) => `wire://h${n}:1`).join(',')}`,
    'at most 1000 hosts, not 1001',
  ],
])('a list that is wrong is refused with what is wrong: %#', (at, message) => {
  expect(() => staticDirectory({ contracts, at })).toThrow(message)
})

test('a host that was missed for long and starts again at its address is called within half a minute', async () => {
  const env = manualEnv()
  let there = false
  let answered = 0
  const link = balancedLink({
    env,
    directory: staticDirectory({ contracts, at: 'orders=wire://a:1,wire://b:1' }),
    linkTo: (address) => ({
      call: async () => {
        if (address === 'wire://b:1') return { value: 'b' }
        if (!there) throw failure('unavailable')
        answered += 1
        return { value: 'a' }
      },
    }),
  })
  const callFor = async (ms: number, everyMs: number) => {
    for (const end = env.now() + ms; env.now() < end && answered === 0;) {
      const call = callTo('read', { contract: 'orders', deadline: env.now() + 1_000 })
      expect(await link.call(call)).toMatchObject({ value: expect.stringMatching(/^[ab]$/) })
      await env.advance(everyMs)
    }
  }
  await callFor(400_000, 1_000)
  there = true
  await callFor(40_000, 250)
  expect(answered).toBe(1)
  link.stop()
})

test('what comes before the first colon says which directory it is', () => {
  const made = (text: string) =>
    directoryFrom('DIRECTORY', text, {
      http: (_, whole) => staticDirectory({ contracts, at: `all=${whole}` }),
      static: (at) => staticDirectory({ contracts, at }),
    })
  expect(made('')).toBeUndefined()
  expect(made('http://127.0.0.1:7070')).toBeDefined()
  expect(made('static:all=wire://a:1')).toBeDefined()
  for (const text of ['htpp://a', 'nothing', ':', 'constructor:a'])
    expect(() => made(text)).toThrow(
      `DIRECTORY must be one of http:…, static:…; it is ${JSON.stringify(text)}`,
    )
  expect(() => made('static:a')).toThrow('DIRECTORY (static): an entry is contracts=addresses')
})

test('what is wrong is told without passwords and tokens', () => {
  for (const text of [
    'consul:http://user:s3cret@127.0.0.1:8500',
    'consul:user:s3cr@et,s3cret@127.0.0.1',
    'consul:http://127.0.0.1:8500?service=shop&token=s3cret',
    'konsul://user:s3cret@127.0.0.1',
    'static:all=wire://user:s3cret@10.0.0.7:7070',
  ])
    try {
      directoryFrom('DIRECTORY', text, {
        consul: (at) => {
          throw failure('misconfigured', `the address is a URL, not ${at}`)
        },
        static: (at) => staticDirectory({ contracts, at }),
      })
      expect.unreachable()
    } catch (error) {
      const said = inspect(error, { depth: 9 })
      expect(said).toContain('DIRECTORY')
      expect(said).not.toContain('s3c')
    }
})

test('options and names of a directory are read, and mistakes in them told', () => {
  const { main, options } = withOptions('a.test:1?every=2&server=', ['every', 'server'])
  expect([main, ...options]).toEqual(['a.test:1', ['every', '2']])
  expect(() => withOptions('a?evry=2', ['every'])).toThrow('there is no option evry, but every')
  expect([...namesFrom('{contract}.shop', contracts)]).toEqual([
    ['catalog.shop', ['catalog']],
    ['orders.shop', ['orders']],
  ])
  expect([...namesFrom('shop', contracts)]).toEqual([['shop', contracts]])
  for (const name of ['', '{service}.shop', 'a b', 'a/b', '-a'])
    expect(() => namesFrom(name, contracts)).toThrow('a name is made of')
})
