import fc from 'fast-check'
import { expect, test } from 'vitest'
import { preferredCoding } from './accept-encoding.ts'

test('the coding with the highest weight is chosen', () => {
  const choices: readonly [string | undefined, string][] = [
    [undefined, 'identity'],
    ['', 'identity'],
    ['gzip', 'gzip'],
    ['br', 'br'],
    ['gzip, deflate, br, zstd', 'br'],
    ['gzip;q=1.0, br;q=0.9', 'gzip'],
    ['br;q=0.001', 'br'],
    ['br;q=0, gzip', 'gzip'],
    ['gzip;q=0', 'identity'],
    ['*', 'br'],
    ['*;q=0', 'identity'],
    ['br;q=0, *', 'gzip'],
    ['identity', 'identity'],
    ['identity, gzip;q=0.5', 'identity'],
    ['identity;q=0.5, gzip;q=0.5', 'gzip'],
    ['identity;q=0', 'identity'],
    ['identity;q=0, gzip;q=0.1', 'gzip'],
    ['*;q=0.5, gzip;q=0.1', 'br'],
    ['gzip;q=0.1, *;q=0', 'gzip'],
    ['deflate, compress', 'identity'],
    ['GZIP ; Q=0.8', 'gzip'],
    ['x-gzip', 'gzip'],
    // What cannot be read is as if it were not there.
    ['gzip;q=2', 'identity'],
    ['gzip;q=-1', 'identity'],
    ['gzip;q=0.0001', 'identity'],
    ['gzip;q=', 'identity'],
    ['gzip;level=9', 'identity'],
    ['gzip;q=1;q=1, br;q=0.1', 'br'],
    ['gzipped, brotli', 'identity'],
    [';q=1, ,', 'identity'],
    ['__proto__, constructor', 'identity'],
  ]
  for (const [header, coding] of choices)
    expect([header, preferredCoding(header)]).toEqual([header, coding])
})

test('any header is understood, and nothing is chosen that it does not name', () => {
  const words = fc.constantFrom('gzip', 'br', '*', 'identity', ';q=0', ';q=0.5', ',', ' ', 'x')
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(words).map((list) => list.join('')),
      ),
      (header) => {
        const coding = preferredCoding(header)
        if (coding !== 'identity') expect(header).toMatch(coding === 'br' ? /br|\*/i : /gzip|\*/i)
      },
    ),
  )
})
