import { hash, verify } from '@node-rs/argon2'
import { failure } from '../../base/failure.ts'
import { places } from './places.ts'

export interface Argon2Options {
  /** Memory of one hash in KiB, default 19,456 (19 MiB: OWASP's first choice with two passes). */
  readonly memoryKib?: number
  /** Default 2. */
  readonly passes?: number
  /** Hashes computed at once, default 2: libuv's pool has four threads, and files and other cryptography need some. */
  readonly concurrency?: number
  /** Hashes that wait for their turn, default 100; one more is refused with `overloaded`. */
  readonly maxWaiting?: number
  /**
   * Milliseconds that a hash may wait for its turn, default 2,000: a call has five seconds, and one that changes a password
   * waits twice. Whoever would wait for longer, as far as the latest hashes tell, is refused with `overloaded` at once.
   */
  readonly maxWaitMs?: number
}

/** Passwords as argon2id hashes (RFC 9106) in PHC strings, which carry their own salt and parameters. */
export interface Argon2Passwords {
  /** Once the signal aborts, a hash that waits for its turn gives it up and rejects with the signal's reason. */
  hash(password: string, signal?: AbortSignal): Promise<string>
  verify(password: string, phc: string, signal?: AbortSignal): Promise<boolean>
  /**
   * Well-formed, with the same parameters, and the hash of no known password: verified in place of a hash that is not
   * there, so that both take as long. It costs nothing to make, so that the first such call takes no longer either.
   */
  readonly decoy: string
}

const lanes = 1
const saltBytes = 16
const hashBytes = 32

/** The letters of base64 without padding, as PHC strings have them: all zero bits, which argon2 gives with chance 2^-256. */
const zeros = (bytes: number) => 'A'.repeat(Math.ceil((bytes * 4) / 3))

export const argon2Passwords = (options: Argon2Options = {}): Argon2Passwords => {
  const memoryCost = within('memoryKib', options.memoryKib ?? 19_456, 8, 4_194_304)
  const timeCost = within('passes', options.passes ?? 2, 1, 100)
  const inTurn = places({
    atOnce: within('concurrency', options.concurrency ?? 2, 1, 64),
    waiting: within('maxWaiting', options.maxWaiting ?? 100, 0, 100_000),
    waitingMs: within('maxWaitMs', options.maxWaitMs ?? 2_000, 1, 600_000),
    clock: () => performance.now(),
    refusal: () => failure('overloaded', 'Too many passwords are being checked at this moment'),
  })
  const parameters = { memoryCost, timeCost, parallelism: lanes, outputLen: hashBytes }
  return {
    hash: (password, signal) => inTurn(() => hash(password, parameters), signal),
    verify: (password, phc, signal) => inTurn(() => verify(phc, password), signal),
    decoy: `$argon2id$v=19$m=${memoryCost},t=${timeCost},p=${lanes}$${zeros(saltBytes)}$${zeros(hashBytes)}`,
  }
}

const within = (field: string, value: number, least: number, most: number): number => {
  if (Number.isInteger(value) && value >= least && value <= most) return value
  throw failure(
    'misconfigured',
    `argon2 ${field} must be a whole number from ${least} to ${most}; it is ${value}`,
  )
}
