import type { Env } from '../base/env.ts'
import { asFailure } from '../base/failure.ts'
import type { Client, Contract } from '../contract/index.ts'
import { isFeed, type Call, type Caller, type FeedReply, type Link } from '../link/call.ts'
import { alone, clientOf } from '../link/client.ts'

/** One call and what came of it. */
export interface Heard {
  readonly contract: string
  readonly operation: string
  /** The code of its failure. */
  readonly code: string | undefined
  /** All of it that a caller can tell, as text. */
  readonly text: string
}

export interface Recorder {
  readonly heard: readonly Heard[]
  readonly link: Link
  client<C extends Contract>(contract: C, caller: Caller): Client<C>
}

/** JSON that also shows what JSON has no words for. */
const shown = (value: unknown): string =>
  JSON.stringify(value, function (this: Readonly<Record<string, unknown>>, field, given: unknown) {
    const raw = this[field]
    if (raw instanceof Date) return '<a Date>'
    if (given === undefined) return '<undefined>'
    if (typeof given === 'bigint') return `<${given}n>`
    if (Object.is(given, -0)) return '<-0>'
    return typeof given === 'number' && !Number.isFinite(given) ? `<${given}>` : given
  })

/** Writes down every call that goes over the link, and its reply as the link gave it. */
export const recorder = ({ link, env }: { readonly link: Link; readonly env: Env }): Recorder => {
  const heard: Heard[] = []
  const note = ({ contract, operation, caller, key, strict, input }: Call) => {
    const who = shown(caller)
    const asked = `${contract}.${operation} by ${who}${strict ? ' strictly' : ''}${key === undefined ? '' : ` under ${shown(key)}`} ${shown(input)}`
    return (answer: string, code?: string) =>
      void heard.push({ contract, operation, code, text: `${asked} → ${answer}` })
  }
  const failed = (answered: ReturnType<typeof note>, error: unknown) => {
    const failure = asFailure(error)
    answered(`failed: ${shown(failure)}`, failure.code)
  }
  const items = async function* (reply: FeedReply, answered: ReturnType<typeof note>) {
    const got: unknown[] = []
    try {
      for await (const item of reply.value) {
        got.push(item)
        yield item
      }
      answered(`items ${shown(got)}, the end`)
    } catch (error) {
      failed(answered, error)
      throw error
    }
  }
  const recording: Link = {
    call: async (call) => {
      const answered = note(call)
      try {
        const reply = await link.call(call)
        if (isFeed(reply)) return { value: items(reply, answered) }
        if (reply.remembered === undefined) answered(shown(reply.value))
        else {
          const { status, contentType, location, body } = reply.remembered
          const about = shown({ status, contentType, location })
          answered(`remembered ${about} ${new TextDecoder().decode(body)}`)
        }
        return reply
      } catch (error) {
        failed(answered, error)
        throw error
      }
    },
  }
  return {
    heard,
    link: recording,
    client: (contract, caller) => clientOf(contract, recording, alone(env, caller)),
  }
}
