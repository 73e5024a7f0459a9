import fc from 'fast-check'
import { expect, test } from 'vitest'
import { clientAddress, networkOf, trustedProxies } from './client-address.ts'
import { request } from './sample.suite.ts'

const from = (remoteAddress: string, forwardedFor?: string, trusted: readonly string[] = []) =>
  clientAddress(
    {
      ...request({
        target: '/',
        headers: forwardedFor === undefined ? {} : { 'x-forwarded-for': forwardedFor },
      }),
      remoteAddress,
    },
    trustedProxies(trusted),
  )

test('without trusted proxies it is the connection’s other end, whatever the headers say', () => {
  expect(from('203.0.113.7')).toBe('203.0.113.7')
  expect(from('203.0.113.7', '10.0.0.1')).toBe('203.0.113.7')
  expect(from('2001:DB8::7', '10.0.0.1')).toBe('2001:db8::7')
  expect(from('203.0.113.7', '10.0.0.1', ['10.0.0.0/8'])).toBe('203.0.113.7')
})

test('IPv4 in IPv6 is IPv4', () => {
  expect(from('::ffff:203.0.113.7')).toBe('203.0.113.7')
  expect(from('::FFFF:cb00:7107')).toBe('203.0.113.7')
  expect(from('::ffff:10.0.0.1', '203.0.113.7', ['10.0.0.1'])).toBe('203.0.113.7')
  expect(from('10.0.0.1', '203.0.113.7', ['::ffff:10.0.0.1'])).toBe('203.0.113.7')
})

test('behind trusted proxies it is the rightmost address that is none of them', () => {
  const proxies = ['10.0.0.0/8', 'fd00::/8', '192.0.2.1']
  expect(from('10.0.0.1', '203.0.113.7', proxies)).toBe('203.0.113.7')
  expect(from('10.0.0.1', 'forged, 198.51.100.1 ,203.0.113.7,10.9.9.9', proxies)).toBe(
    '203.0.113.7',
  )
  expect(from('fd00::1', '203.0.113.7,192.0.2.1', proxies)).toBe('203.0.113.7')
  expect(from('10.0.0.1', '2001:db8::7', proxies)).toBe('2001:db8::7')
  // All of them are proxies: the one that is furthest away asked.
  expect(from('10.0.0.1', '10.0.0.3, 10.0.0.2', proxies)).toBe('10.0.0.3')
  expect(from('10.0.0.1', undefined, proxies)).toBe('10.0.0.1')
})

test('an address may come with a port', () => {
  const at = (text: string) => from('10.0.0.1', text, ['10.0.0.1'])
  expect(at('203.0.113.7:4711')).toBe('203.0.113.7')
  expect(at('[2001:db8::7]:4711')).toBe('2001:db8::7')
  expect(at('[2001:db8::7]')).toBe('2001:db8::7')
})

test('what is no address ends the search at the proxy that reported it', () => {
  for (const text of ['unknown', '', '1.2.3', '1.2.3.256', '01.2.3.4', '1::2::3', 'g::', '1:2'])
    expect(from('10.0.0.1', `203.0.113.7, ${text}`, ['10.0.0.0/8'])).toBe('10.0.0.1')
  expect(from('10.0.0.1', 'unknown, 10.0.0.2', ['10.0.0.0/8'])).toBe('10.0.0.2')
  expect(from('', '203.0.113.7', ['10.0.0.0/8'])).toBe('')
})

test('a range’s end is exact', () => {
  const inside = (address: string, range: string) =>
    from(address, '203.0.113.7', [range]) === '203.0.113.7'
  expect(inside('172.31.255.255', '172.16.0.0/12')).toBe(true)
  expect(inside('172.32.0.0', '172.16.0.0/12')).toBe(false)
  expect(inside('172.16.0.1', '172.16.9.9/12')).toBe(true)
  expect(inside('2001:db8:1::', '2001:db8::/48')).toBe(false)
  expect(inside('2001:db8:0:ffff::', '2001:db8::/48')).toBe(true)
  expect(inside('1.2.3.4', '0.0.0.0/0')).toBe(true)
  expect(inside('::1', '0.0.0.0/0')).toBe(false)
  expect(inside('1.2.3.4', '::/0')).toBe(true)
})

test('a range that is none fails at start', () => {
  for (const wrong of [
    '',
    'localhost',
    '10.0.0.0/33',
    '::/129',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    '10/8',
  ])
    expect(() => trustedProxies([wrong])).toThrow(/trustedProxies/)
})

test('an IPv6 client is its network, an IPv4 client its address', () => {
  expect(networkOf('203.0.113.7')).toBe('203.0.113.7')
  expect(networkOf('2001:db8:1:2:3:4:5:6')).toBe(networkOf('2001:db8:1:2:ffff::'))
  expect(networkOf('2001:db8:1:2::1')).not.toBe(networkOf('2001:db8:1:3::1'))
  expect(networkOf('fe80::1%eth0')).toBe(networkOf('fe80::2'))
  // Behind a translator, each is a client of its own.
  expect(networkOf('64:ff9b::203.0.113.7')).toBe('203.0.113.7')
  expect(networkOf('')).toBe('')
})

test('addresses are read as URLs read them', () => {
  const canonical = (text: string) => new URL(`http://[${text}]/`).hostname
  const network = (text: string) => {
    const [left = '', right] = canonical(text).slice(1, -1).split('::')
    const groups = left.split(':').filter((group) => group !== '')
    const tail = (right ?? '').split(':').filter((group) => group !== '')
    const all = [
      ...groups,
      ...Array.from({ length: 8 - groups.length - tail.length }, () => '0'),
      ...tail,
    ]
    return BigInt(
      `0x${all
        .slice(0, 4)
        .map((group) => group.padStart(4, '0'))
        .join('')}`,
    )
  }
  fc.assert(
    fc.property(fc.ipV6(), (text) => {
      // Bun knows no IPv4 behind `::` and three groups.
      if (!URL.canParse(`http://[${text}]/`)) return
      const isIpv4 =
        canonical(text).startsWith('[::ffff:') || canonical(text).startsWith('[64:ff9b::')
      if (!isIpv4) expect(networkOf(text)).toBe(`${network(text).toString(16)}::/64`)
    }),
  )
  fc.assert(fc.property(fc.string(), (text) => typeof from(text, text, ['::/0']) === 'string'))
})
