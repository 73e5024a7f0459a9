import { describe, expect, test } from 'vitest'
import { systemEnv } from './env.ts'
import { seal, unseal } from './seal.ts'

const env = systemEnv()
const key = new Uint8Array(32).fill(7)
const fromHex = (text: string) => new Uint8Array(Buffer.from(text, 'hex'))
const opened = (...sealed: Parameters<typeof unseal>) => new TextDecoder().decode(unseal(...sealed))

test('AES-256-GCM as in test case 16 of the GCM specification (McGrew and Viega)', () => {
  const [secret, nonce, place, plain, text, tag] = [
    'feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308',
    'cafebabefacedbaddecaf888',
    'feedfacedeadbeeffeedfacedeadbeefabaddad2',
    'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39',
    '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662',
    '76fc6ece0f4e1768cddf8853bb2d551b',
  ].map(fromHex) as [Uint8Array, Uint8Array<ArrayBuffer>, Uint8Array, Uint8Array, Uint8Array, Uint8Array] // prettier-ignore
  const sealed = seal({ bytes: () => nonce }, secret, place, plain)
  expect(sealed).toEqual(new Uint8Array([...nonce, ...text, ...tag]))
  expect(unseal(secret, place, sealed)).toEqual(new Uint8Array(plain))
})

test('what WebCrypto sealed opens, and the other way round', async () => {
  const secret = await crypto.subtle.importKey('raw', key, 'AES-GCM', false, ['encrypt', 'decrypt'])
  const nonce = env.bytes(12)
  const additionalData = new TextEncoder().encode('order-ü')
  const parameters = { name: 'AES-GCM', iv: nonce, additionalData }
  const text = await crypto.subtle.encrypt(parameters, secret, new TextEncoder().encode('tok_ok'))
  expect(opened(key, 'order-ü', new Uint8Array([...nonce, ...new Uint8Array(text)]))).toBe('tok_ok')

  const ours = seal({ bytes: () => nonce }, key, 'order-ü', 'tök')
  const theirs = await crypto.subtle.decrypt(parameters, secret, ours.slice(12))
  expect(new TextDecoder().decode(theirs)).toBe('tök')
})

test('a text is not readable, is sealed anew each time, and may be empty', () => {
  const sealed = seal(env, key, 'order-1', 'tok_ok')
  expect(new TextDecoder().decode(sealed)).not.toContain('tok_ok')
  expect(seal(env, key, 'order-1', 'tok_ok')).not.toEqual(sealed)
  expect(opened(key, 'order-1', sealed)).toBe('tok_ok')
  expect(opened(key, '', seal(env, key, '', ''))).toBe('')
})

describe('sealed bytes do not open', () => {
  const sealed = seal(env, key, 'order-1', 'tok_ok')
  const clear = expect.objectContaining({
    code: 'internal',
    message: expect.stringContaining('Sealed bytes do not open'),
  })

  test('in another place, or under another key', () => {
    expect(() => unseal(key, 'order-2', sealed)).toThrow(clear)
    expect(() => unseal(new Uint8Array(32).fill(8), 'order-1', sealed)).toThrow(clear)
    expect(() => unseal(new Uint8Array(31), 'order-1', sealed)).toThrow(clear)
  })

  test('with any byte changed: of the nonce, the text and the tag', () => {
    for (const [at, byte] of sealed.entries())
      expect(() => unseal(key, 'order-1', sealed.with(at, byte ^ 1)), String(at)).toThrow(clear)
  })

  test('cut short anywhere, or with more behind', () => {
    for (let length = 0; length < sealed.length; length++)
      expect(() => unseal(key, 'order-1', sealed.slice(0, length)), String(length)).toThrow(clear)
    expect(() => unseal(key, 'order-1', new Uint8Array([...sealed, 0]))).toThrow(clear)
  })
})
