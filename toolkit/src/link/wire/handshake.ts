import { hmacSha256, sameBytes } from '../../base/hash.ts'
import { misspoken } from './frames.ts'

/*
 * Who connects says hello: `serval`, a version, a nonce. The other side answers in the same way, and proves that it knows the secret: an HMAC of
 * both nonces. Then the first side proves it too. The secret itself never travels, and a proof of one side is none of the other.
 */

export const wireVersion = 2
const nonceBytes = 32
const proofBytes = 32
const magic = new TextEncoder().encode('serval')

export type Side = 'client' | 'server'

const joined = (...parts: readonly Uint8Array[]): Uint8Array => {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

export class Handshake {
  readonly #side: Side
  readonly #secret: Uint8Array
  readonly #own: Uint8Array
  #theirs: Uint8Array = new Uint8Array(0)

  constructor(side: Side, secret: Uint8Array, nonce: Uint8Array) {
    this.#side = side
    this.#secret = secret
    this.#own = nonce
  }

  static readonly nonceBytes = nonceBytes

  hello(): Uint8Array {
    const greeting = joined(
      magic,
      new Uint8Array([wireVersion >> 8, wireVersion & 0xff]),
      this.#own,
    )
    return this.#side === 'client' ? greeting : joined(greeting, this.proof())
  }

  /** Throws for who is no link, speaks another version, or, being the server, does not know the secret. */
  heard(hello: Uint8Array): void {
    const at = magic.length + 2
    if (hello.length < at || !sameBytes(hello.subarray(0, magic.length), magic))
      throw misspoken('the other side is no link of a fleet')
    const version = new DataView(hello.buffer, hello.byteOffset).getUint16(magic.length)
    if (version !== wireVersion)
      throw misspoken(`one side speaks version ${version}, the other ${wireVersion}`)
    const proof = this.#side === 'client' ? proofBytes : 0
    if (hello.length !== at + nonceBytes + proof) throw misspoken('a hello has another length')
    this.#theirs = hello.slice(at, at + nonceBytes)
    if (proof > 0) this.check(hello.subarray(at + nonceBytes))
  }

  proof(): Uint8Array {
    return this.#proofOf(this.#side)
  }

  check(proof: Uint8Array): void {
    if (!sameBytes(proof, this.#proofOf(this.#side === 'client' ? 'server' : 'client')))
      throw misspoken('the two sides do not share a secret')
  }

  #proofOf(side: Side): Uint8Array {
    const [first, second] =
      this.#side === 'client' ? [this.#own, this.#theirs] : [this.#theirs, this.#own]
    const label = new TextEncoder().encode(`serval wire ${wireVersion} ${side}`)
    return hmacSha256(this.#secret, joined(label, first, second))
  }
}
