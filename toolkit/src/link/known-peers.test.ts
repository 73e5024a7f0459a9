import { expect, test } from 'vitest'
import { linesOf, textOf } from './bounded.ts'
import type { Peer } from './directory.ts'
import { hostAddress, knownPeers } from './known-peers.ts'

const peer = (id: string, contracts = ['a'], address = `wire://${id}:1`): Peer => ({
  id,
  address,
  contracts,
})

const setting = () => {
  const told: string[] = []
  const failed: string[] = []
  const known = knownPeers(
    (peers) =>
      told.push(peers.map(({ id, contracts }) => `${id}=${contracts.join('+')}`).join(' ')),
    (error) => failed.push(String(error)),
  )
  return { told, failed, known }
}

test('changes alone are told, whatever the order, with all that is said of a host', () => {
  const { told, failed, known } = setting()
  known.found([peer('y'), peer('x', ['b']), peer('x')])
  known.found([peer('x', ['a', 'b']), peer('y')])
  known.found([peer('x')])
  expect(told).toEqual(['x=a+b y=a', 'x=a'])
  expect(failed).toEqual([])
})

test('that there is nobody is an outage: who was known stays, and it is told once until all is well', () => {
  const { told, failed, known } = setting()
  known.found([peer('x')])
  known.found([])
  known.failed(new Error('away'))
  known.found([peer('x')], new Error('a part is away'))
  expect(told).toEqual(['x=a'])
  expect(failed).toHaveLength(1)
  known.found([peer('x')])
  known.failed(new Error('away again'))
  expect(failed).toEqual([expect.stringContaining('knows no host'), 'Error: away again'])
})

test('of a list without end a thousand hosts are taken', () => {
  const { told, failed, known } = setting()
  known.found(Array.from({ length: 5_000 }, (_, n) => peer(`h${n}`)))
  expect(told[0]?.split(' ')).toHaveLength(1_000)
  expect(failed[0]).toContain('the directory says 5000 hosts; only 1000 are called')
})

test('an address is a scheme, a host and a port, and no more', () => {
  expect(hostAddress('wire://10.0.0.7:7070')).toBe('wire://10.0.0.7:7070')
  expect(hostAddress('http://[fd00::1]:7070')).toBe('http://[fd00::1]:7070')
  for (const text of [
    '',
    'a',
    'wire://:1',
    'wire://a',
    'wire://a/b:1',
    'wire://u@a:1',
    'http://a:1?b',
  ])
    expect(hostAddress(text), text).toBeUndefined()
})

const pieces = async function* (...texts: string[]) {
  for (const text of texts) yield new TextEncoder().encode(text)
}
const endless = async function* () {
  for (;;) yield new Uint8Array(65_536).fill(97)
}

test('an answer without end is given up, whole or in lines', async () => {
  expect(await textOf(pieces('ä', 'b'), 3)).toBe('äb')
  await expect(textOf(endless(), 1_000_000)).rejects.toThrow('more than 1000000 bytes')
  const lines: string[] = []
  for await (const line of linesOf(pieces('a\nb', 'c\nd'), 10)) lines.push(line)
  expect(lines).toEqual(['a', 'bc'])
  const reading = async () => {
    for await (const line of linesOf(endless(), 1_000_000)) lines.push(line)
  }
  await expect(reading()).rejects.toThrow('more than 1000000 bytes')
})
