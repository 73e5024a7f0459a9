import fc from 'fast-check'
import { expect, test } from 'vitest'
import { answers } from './answers.ts'

const message = ([type, body]: readonly [string, Uint8Array]): Buffer => {
  const bytes = Buffer.alloc(5 + body.length)
  bytes.write(type, 'latin1')
  bytes.writeInt32BE(4 + body.length, 1)
  bytes.set(body, 5)
  return bytes
}

const body = fc.uint8Array({ maxLength: 40 })
const answer = fc
  .tuple(fc.array(fc.tuple(fc.constantFrom('D', 'C', 'N', '2'), body), { maxLength: 6 }), body)
  .map(([before, last]) => Buffer.concat([...before.map(message), message(['Z', last])]))

test('answers come whole, however their bytes arrive', () => {
  fc.assert(
    fc.property(
      fc.array(answer, { maxLength: 5 }),
      fc.tuple(fc.constantFrom('D', 'E'), body),
      fc.array(fc.nat({ max: 40 })),
      (sent, last, sizes) => {
        const cut = message(last)
        // The last message is cut off, or ends an answer that is.
        const bytes = Buffer.concat([...sent, cut, cut.subarray(0, -1)])
        const got: string[] = []
        const { receive, rest } = answers((one) => got.push(one.toString('hex')))
        let at = 0
        for (const size of sizes) {
          receive(Buffer.from(bytes.subarray(at, at + size)))
          at += size
        }
        receive(Buffer.from(bytes.subarray(at)))
        expect(got).toEqual(sent.map((one) => one.toString('hex')))
        expect(rest().toString('hex')).toBe(cut.toString('hex'))
      },
    ),
  )
})
