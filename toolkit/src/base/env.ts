import { reasonOf } from './failure.ts'

/**
 * The only door to time, chance and identity. Code outside `base/` never reads the clock, draws
 * randomness or makes an id: it asks its `Env`, so that a test can hold time still.
 */
export interface Env {
  /** Wall clock, milliseconds since the Unix epoch. */
  now(): number
  /** A number in [0, 1), for jitter and choice; not for secrets. */
  random(): number
  /** `count` cryptographically strong random bytes. */
  bytes(count: number): Uint8Array<ArrayBuffer>
  /** A UUID version 7 (RFC 9562): sorts by the time it was made, also within one millisecond. */
  id(): string
  /** Resolves after `ms` milliseconds; rejects with the signal's reason when it aborts first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  /** Calls `run` once after `ms` milliseconds; the returned function forgets it. */
  after(ms: number, run: () => void): () => void
}

const hex = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/**
 * Makes UUIDv7 ids from a clock and a source of bytes. Ids of one maker ascend strictly: within a
 * millisecond the 12 bits of `rand_a` count up from a random start (RFC 9562, section 6.2, method 1),
 * and when they are used up, or the clock steps back, the id's own time runs ahead instead.
 */
export const uuidv7 = (now: () => number, bytes: (count: number) => Uint8Array): (() => string) => {
  let lastMs = 0
  let counter = 0
  return () => {
    const random = bytes(10)
    const ms = Math.floor(now())
    if (ms > lastMs) {
      lastMs = ms
      counter = ((random[0]! << 8) | random[1]!) & 0x7ff
    } else if (counter < 0xfff) counter += 1
    else {
      lastMs += 1
      counter = 0
    }
    const h = (value: number) => hex[value & 0xff]!
    const high = Math.floor(lastMs / 0x1_0000)
    return (
      h(high >>> 24) +
      h(high >>> 16) +
      h(high >>> 8) +
      h(high) +
      '-' +
      h(lastMs / 0x100) +
      h(lastMs) +
      '-' +
      h(0x70 | (counter >>> 8)) +
      h(counter) +
      '-' +
      h(0x80 | (random[2]! & 0x3f)) +
      h(random[3]!) +
      '-' +
      h(random[4]!) +
      h(random[5]!) +
      h(random[6]!) +
      h(random[7]!) +
      h(random[8]!) +
      h(random[9]!)
    )
  }
}

/** Draws bytes from a block, so that an id does not cost a call into the system. */
const pooledBytes = (fill: (block: Uint8Array<ArrayBuffer>) => void) => {
  let block = new Uint8Array(0)
  let used = 0
  return (count: number): Uint8Array<ArrayBuffer> => {
    if (used + count > block.length) {
      block = new Uint8Array(Math.max(4096, count))
      fill(block)
      used = 0
    }
    used += count
    return block.slice(used - count, used)
  }
}

/** The platform's timers take 31 bits, and fire at once beyond them. */
const longestTimerMs = 2 ** 31 - 1

const after = (ms: number, run: () => void): (() => void) => {
  let timer: ReturnType<typeof setTimeout>
  const wait = (left: number) => {
    timer =
      left > longestTimerMs
        ? setTimeout(() => wait(left - longestTimerMs), longestTimerMs)
        : setTimeout(run, left)
  }
  wait(ms)
  return () => clearTimeout(timer)
}

/** The real clock and the platform's randomness. */
export const systemEnv = (): Env => {
  const bytes = pooledBytes((block) => void crypto.getRandomValues(block))
  return {
    now: Date.now,
    random: Math.random,
    bytes,
    id: uuidv7(Date.now, bytes),
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(reasonOf(signal))
        const abort = () => {
          forget()
          reject(reasonOf(signal))
        }
        const forget = after(ms, () => {
          signal?.removeEventListener('abort', abort)
          resolve()
        })
        signal?.addEventListener('abort', abort, { once: true })
      }),
    after,
  }
}

let second = Number.NaN
let untilSecond = ''

/** RFC 3339 in UTC, with milliseconds, of a time in milliseconds since the epoch. */
export const rfc3339 = (ms: number): string => {
  const whole = Math.trunc(ms)
  const at = Math.floor(whole / 1000)
  // Most times are of the second of the one before.
  if (at !== second) {
    untilSecond = new Date(at * 1000).toISOString().slice(0, -4)
    second = at
  }
  return `${untilSecond}${String(whole - at * 1000).padStart(3, '0')}Z`
}
