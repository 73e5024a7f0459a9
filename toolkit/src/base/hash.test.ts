import { expect, test } from 'vitest'
import { hmacSha256, sameBytes, sha256 } from './hash.ts'

const utf8 = new TextEncoder()

test('SHA-256 of FIPS 180-4’s examples, in both encodings', () => {
  const abc = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'
  expect(sha256('abc', 'hex')).toBe(abc)
  expect(sha256(utf8.encode('abc'), 'hex')).toBe(abc)
  expect(sha256('abc', 'base64url')).toBe(Buffer.from(abc, 'hex').toString('base64url'))
  expect(sha256('abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq', 'hex')).toBe(
    '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1',
  )
})

test('a text is hashed as its UTF-8', () => {
  for (const text of ['', 'Käse', '猫', '\u{1f408}'])
    expect(sha256(text, 'hex'), text).toBe(sha256(utf8.encode(text), 'hex'))
})

test('HMAC-SHA-256 of RFC 4231’s test cases 2 and 6', () => {
  expect(
    Buffer.from(hmacSha256(utf8.encode('Jefe'), 'what do ya want for nothing?')).toString('hex'),
  ).toBe('5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843')
  const long = new Uint8Array(131).fill(0xaa)
  const text = 'Test Using Larger Than Block-Size Key - Hash Key First'
  expect(Buffer.from(hmacSha256(long, utf8.encode(text))).toString('hex')).toBe(
    '60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54',
  )
})

test('bytes are the same only when all of them are', () => {
  const bytes = Uint8Array.of(1, 2, 3)
  expect(sameBytes(bytes, Uint8Array.of(1, 2, 3))).toBe(true)
  expect(sameBytes(bytes, Uint8Array.of(1, 2, 4))).toBe(false)
  expect(sameBytes(bytes, Uint8Array.of(1, 2))).toBe(false)
  expect(sameBytes(bytes, Uint8Array.of(1, 2, 3, 0))).toBe(false)
})
