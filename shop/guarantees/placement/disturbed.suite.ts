import { losingOneIn, numberedCalls, type Placement } from 'serval/testing'
import { play, type Played } from './play.suite.ts'

type Loses = Exclude<Extract<Placement, object>['loses'], undefined>

/** One reply in three is lost; over the three plays it is the turn of each. */
export const lostReplies = [1, 2, 3].map((first) => losingOneIn(3, first))

/** What may differ once a call was repeated, or a message: how much was still missing, and how often a mail came. */
const repeatable = (text: string): string =>
  text.replaceAll(/("added":)(true|false|\d+)/g, '$1<>').replaceAll(/("repeats":)\d+/g, '$1<>')

export const outcome = ({ transcript, effects }: Played) => ({
  transcript: transcript.map(repeatable),
  effects,
})

/** Who calls what for the how manieth time, in an undisturbed play: the calls of which a reply may be lost. Of those that come when they come, the first. */
export const recordedCalls = async (linked: 'direct' | 'http' | 'wire') => {
  const numbered = numberedCalls()
  const found: { readonly from: string; readonly n: number }[] = []
  await play({
    linked,
    loses: (call) => {
      const id = numbered(call)
      const often = call.operation.startsWith('$') || call.caller.kind === 'anonymous'
      if (call.repeatable && (!often || id.n === 1)) found.push(id)
      return false
    },
  })
  return found
}

/** Loses one reply, and tells whether it did. */
export const losingOnly = (lost: { readonly from: string; readonly n: number }) => {
  const numbered = numberedCalls()
  let done = false
  const loses: Loses = (call) => {
    const { from, n } = numbered(call)
    const now = from === lost.from && n === lost.n && call.repeatable
    done ||= now
    return now
  }
  return { loses, done: () => done }
}
