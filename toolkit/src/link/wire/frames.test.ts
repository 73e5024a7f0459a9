import fc from 'fast-check'
import { expect, test } from 'vitest'
import { failure } from '../../base/failure.ts'
import {
  callText,
  failureText,
  identityBytes,
  readCall,
  readFailure,
  readRemembered,
  readToken,
  readValue,
  rememberedBytes,
  valueText,
} from './encoding.ts'
import { FrameReader, FrameWriter, headBytes, maxPayloadBytes, numberIn } from './frames.ts'

type Frame = readonly [type: number, stream: number, payload: readonly number[]]

const frames = fc.array(
  fc.tuple(
    fc.integer({ min: 0, max: 255 }),
    fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 80 }),
  ),
  { maxLength: 20 },
)

const written = (list: readonly Frame[]): Uint8Array => {
  const writer = new FrameWriter()
  for (const [type, stream, payload] of list) writer.frame(type, stream, Uint8Array.from(payload))
  return writer.take()
}

const readIn = (pieces: readonly Uint8Array[], limit = maxPayloadBytes): Frame[] => {
  const reader = new FrameReader(limit)
  const found: Frame[] = []
  for (const piece of pieces)
    reader.read(piece, (type, stream, payload) => {
      found.push([type, stream, [...payload]])
      return true
    })
  return found
}

const cutAt = (bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] => {
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort(
    (a, b) => a - b,
  )
  return places.slice(1).map((end, nth) => bytes.slice(places[nth], end))
}

test('however the bytes are cut, the frames are the same', () => {
  fc.assert(
    fc.property(frames, fc.array(fc.nat(), { maxLength: 30 }), (list, cuts) => {
      expect(readIn(cutAt(written(list), cuts))).toEqual(list)
    }),
  )
  const list: Frame[] = [
    [10, 1, [1, 2, 3]],
    [0, 0, []],
    [255, 2 ** 32 - 1, Array.from({ length: 300 }, (_, n) => n % 256)],
  ]
  expect(readIn([...written(list)].map((byte) => Uint8Array.of(byte)))).toEqual(list)
})

test('a text is framed as its UTF-8', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const writer = new FrameWriter()
      const bytes = [...new TextEncoder().encode(text)]
      expect(writer.text(11, 7, text)).toBe(bytes.length)
      expect(readIn([writer.take()])).toEqual([[11, 7, bytes]])
    }),
  )
})

test('a frame that is too long is refused by its head alone', () => {
  for (const length of [101, 2 ** 31, 2 ** 32 - 1]) {
    const head = new Uint8Array(headBytes)
    new DataView(head.buffer).setUint32(0, length)
    expect(() => readIn([head], 100)).toThrow(`a frame has at most 100 bytes, not ${length}`)
    expect(() => readIn([head.slice(0, 5), head.slice(5)], 100)).toThrow('at most 100 bytes')
  }
  expect(readIn([written([[1, 0, Array.from({ length: 100 }, () => 1)]])], 100)).toHaveLength(1)
})

test('who has enough is told no more', () => {
  const reader = new FrameReader(maxPayloadBytes)
  const seen: number[] = []
  reader.read(written([[1, 0, []], [2, 0, []], [3, 0, []]]), (type) => seen.push(type) < 2) // prettier-ignore
  expect(seen).toEqual([1, 2])
})

const bytesOf = (text: string) => new TextEncoder().encode(text)
const head = fc.record(
  {
    contract: fc.string({ minLength: 1 }),
    operation: fc.string({ minLength: 1 }),
    identity: fc.nat(),
    left: fc.nat({ max: 60_000 }),
    correlationId: fc.string(),
    strict: fc.constant(true as const),
    key: fc.string({ unit: 'binary' }),
  },
  { requiredKeys: ['contract', 'operation', 'identity', 'left', 'correlationId'] },
)
const json = fc.jsonValue().map((value): unknown => JSON.parse(JSON.stringify(value)))

test('calls, values, remembered replies and identities are read as they were written', () => {
  fc.assert(
    fc.property(head, fc.option(json, { nil: undefined }), (said, input) => {
      expect(readCall(bytesOf(callText(said, input)))).toEqual({ head: said, input })
      expect(readValue(bytesOf(valueText(input)))).toEqual(input)
    }),
  )
  fc.assert(
    fc.property(fc.uint8Array(), fc.string(), fc.integer(), (body, contentType, status) => {
      const reply = { status, contentType, location: undefined, body }
      expect(readRemembered(rememberedBytes(reply))).toEqual(reply)
    }),
  )
  fc.assert(
    fc.property(fc.nat(), fc.string(), (number, token) => {
      const bytes = identityBytes(number, token)
      expect([numberIn(bytes, 'an identity'), readToken(bytes)]).toEqual([number, token])
    }),
  )
})

test('a failure arrives as it was, and one that cannot be written is told all the same', () => {
  const thrown = failure('overloaded', 'later', { ran: 'unknown', data: { room: [1] } })
  expect(readFailure(bytesOf(failureText(thrown))).toJSON()).toEqual(thrown.toJSON())
  const odd = failure('overloaded', 'later', { data: 1n })
  expect(readFailure(bytesOf(failureText(odd)))).toMatchObject({ code: 'internal' })
  expect(readFailure(bytesOf(failureText('thrown')))).toMatchObject({ code: 'internal' })
  expect(readFailure(bytesOf('{}'))).toMatchObject({ code: 'internal' })
})

test('bytes that are no message are refused as such, whatever they are', () => {
  const good = callText(
    { contract: 'a', operation: 'b', identity: 1, left: 1, correlationId: 'c' },
    {},
  )
  const wrong = [
    '',
    '\n',
    '{}\n',
    good.slice(0, -1),
    good.replace('"left":1', '"left":-1'),
    good.replace('"left":1', '"left":1e99'),
    good.replace('"identity":1', '"identity":"1"'),
    good.replace('"contract":"a",', ''),
  ]
  for (const text of wrong) expect(() => readCall(bytesOf(text)), text).toThrow('cannot be read')
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      for (const read of [readCall, readValue, readRemembered, readFailure, readToken])
        try {
          read(bytes)
        } catch (error) {
          expect(error).toMatchObject({ code: 'invalid-input' })
        }
    }),
  )
})
