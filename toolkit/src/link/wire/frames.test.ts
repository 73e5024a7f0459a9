import fc from 'fast-check'
import { expect, test } from 'vitest'
import { failure } from '../../base/failure.ts'
import {
  CallSchema,
  callText,
  failureText,
  identityBytes,
  isCall,
  longestWaitMs,
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

test('what was taken stays as it was, whatever is written after it', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ maxLength: 20_000 }), { maxLength: 20 }), (texts) => {
      const writer = new FrameWriter()
      const taken = texts.map((text) => {
        writer.text(1, 1, text)
        return writer.take()
      })
      for (const [nth, bytes] of taken.entries()) {
        expect(bytes.length).toBe(headBytes + bytesOf(texts[nth] ?? '').length)
        expect(new TextDecoder().decode(bytes.subarray(headBytes))).toBe(texts[nth])
      }
    }),
  )
})

test('a buffer is written to its end, and a large one not kept', () => {
  const writer = new FrameWriter()
  const taken = (payloadBytes: number) => {
    writer.frame(1, 1, new Uint8Array(payloadBytes))
    return writer.take()
  }
  const [large, small, next] = [taken(maxPayloadBytes), taken(1), taken(1)]
  expect(small.buffer.byteLength).toBeLessThan(large.length)
  expect(next.buffer).toBe(small.buffer)
  expect(next.byteOffset).toBe(small.length)
})

const bytesOf = (text: string) => new TextEncoder().encode(text)
const json = fc.jsonValue().map((value): unknown => JSON.parse(JSON.stringify(value)))
const message = fc.record({
  contract: fc.string(),
  operation: fc.string(),
  identity: fc.nat(),
  left: fc.nat({ max: 60_000 }),
  correlationId: fc.string(),
  strict: fc.boolean(),
  key: fc.option(fc.string({ unit: 'binary' })),
  input: fc.option(json, { nil: undefined }),
})

test('calls, values, remembered replies and identities are read as they were written', () => {
  fc.assert(
    fc.property(message, (said) => {
      expect(readCall(bytesOf(callText(said)))).toEqual(said)
      expect(readValue(bytesOf(valueText(said.input)))).toEqual(said.input)
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

test('a call is what its schema says it is, whatever came', () => {
  const odd = fc.oneof(
    json,
    fc.constantFrom(undefined, '', 0, -0, -1, 0.5, 2 ** 53, -(2 ** 53), 86_400_000, 86_400_001),
    fc.constantFrom(Number.NaN, Infinity, -Infinity, 1n, Symbol('s'), new Date(0)),
  )
  const field = (usual: fc.Arbitrary<unknown>) => fc.oneof({ weight: 9, arbitrary: usual }, odd)
  const maybe = fc.record({
    contract: field(fc.string()),
    operation: field(fc.string()),
    identity: field(fc.integer()),
    left: field(fc.integer({ min: -1, max: longestWaitMs + 1 })),
    correlationId: field(fc.string()),
    strict: field(fc.boolean()),
    key: field(fc.option(fc.string())),
    input: field(json),
  })
  const seen = { good: 0, bad: 0 }
  fc.assert(
    fc.property(maybe, (said) => {
      const parsed = CallSchema.safeParse(said)
      seen[parsed.success ? 'good' : 'bad'] += 1
      expect(isCall(said)).toBe(parsed.success)
      if (parsed.success) expect(parsed.data).toEqual(said)
    }),
    { numRuns: 2_000 },
  )
  expect(Math.min(seen.good, seen.bad)).toBeGreaterThan(200)
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
  const good = '["a","b",1,2,"c",false,null,{}]'
  expect(readCall(bytesOf(good))).toMatchObject({ identity: 1, left: 2, strict: false, input: {} })
  const wrong = [
    ['', 'not JSON'],
    ['null', 'contract'],
    ['{}', 'contract'],
    ['[]', 'contract'],
    [good.slice(0, -1), 'not JSON'],
    ['["a","b",1,2,"c",false]', 'key'],
    ['[{},"b",1,2,"c",false,null]', 'contract'],
    ['["a",null,1,2,"c",false,null]', 'operation'],
    ['["a","b","1",2,"c",false,null]', 'identity'],
    ['["a","b",1.5,2,"c",false,null]', 'identity'],
    ['["a","b",1,-1,"c",false,null]', 'left'],
    ['["a","b",1,1e99,"c",false,null]', 'left'],
    ['["a","b",1,2,3,false,null]', 'correlationId'],
    ['["a","b",1,2,"c",0,null]', 'strict'],
    ['["a","b",1,2,"c",false,1]', 'key'],
  ] as const
  for (const [text, why] of wrong) {
    expect(() => readCall(bytesOf(text)), text).toThrow('a call cannot be read')
    expect(() => readCall(bytesOf(text)), text).toThrow(why)
  }
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
