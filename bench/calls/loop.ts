import { inputs, totalOf, type Quote } from './quotes.ts'

/** What 64 callers did, each with one call under way. */
export interface Round {
  readonly calls: number
  readonly seconds: number
  readonly ms: { readonly p50: number; readonly p99: number }
}

const inFlight = 64

/** Times are counted by the microsecond up to a second, so that noting one costs next to nothing. */
const longestUs = 1_000_000

const quantileMs = (counts: Uint32Array, of: number, part: number): number => {
  let left = of * part
  return counts.findIndex((count) => (left -= count) < 0) / 1_000
}

/** Calls for so many seconds; a call that fails ends it. */
export const callFor = async (quote: Quote, seconds: number): Promise<Round> => {
  const times = new Uint32Array(longestUs + 1)
  const begun = performance.now()
  const until = begun + seconds * 1_000
  let calls = 0
  const caller = async (first: number) => {
    let at = performance.now()
    for (let n = first; at < until; n += inFlight) {
      const input = inputs[n % inputs.length]
      if (input === undefined) continue
      await quote(input)
      const now = performance.now()
      const us = Math.min(longestUs, Math.floor((now - at) * 1_000))
      times[us] = (times[us] ?? 0) + 1
      calls += 1
      at = now
    }
  }
  await Promise.all(Array.from({ length: inFlight }, (_, n) => caller(n)))
  return {
    calls,
    seconds: (performance.now() - begun) / 1_000,
    ms: { p50: quantileMs(times, calls, 0.5), p99: quantileMs(times, calls, 0.99) },
  }
}

/** Makes each call once, and compares what is answered with what is right. */
export const checked = async (name: string, quote: Quote): Promise<void> => {
  for (const input of inputs) {
    const [answer, expected] = [await quote(input), totalOf(input)]
    if (answer.total !== expected.total || answer.units !== expected.units)
      throw new Error(`${name} answered ${JSON.stringify(answer)}`)
  }
}
