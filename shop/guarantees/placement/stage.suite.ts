import { ServalError, systemEnv, type Caller, type Contract, type Env, type OutputOf } from 'serval'
import type { Recorder, TestServices } from 'serval/testing'
import type { accounts } from '../../accounts/contract.ts'
import type { World } from '../shop-in-test.suite.ts'

/** What a script has: the shop at work, and a recorder that its calls go through. What it only waits for goes past the recorder. */
export interface Stage extends Pick<Recorder, 'client' | 'link'> {
  readonly running: TestServices
  readonly world: World
  readonly slowCards: SlowCards
}

/** Charges of slow cards, which wait here instead of their three seconds. */
export interface SlowCards {
  readonly env: Env
  waiting(): number
  go(): void
}

export const slowCards = (): SlowCards => {
  const env = systemEnv()
  const waiting: (() => void)[] = []
  return {
    env: {
      ...env,
      sleep: (ms, signal) =>
        ms === 3_000 ? new Promise((resolve) => waiting.push(resolve)) : env.sleep(ms, signal),
    },
    waiting: () => waiting.length,
    go: () => {
      for (const resolve of waiting.splice(0)) resolve()
    },
  }
}

export type User = Extract<Caller, { kind: 'user' }>

export const anonymous = { kind: 'anonymous' } as const
export const operator = { kind: 'operator' } as const
export const other = { kind: 'service', name: 'shop' } as const
export const userOf = (id: string, ...roles: readonly string[]) =>
  ({ kind: 'user', id, roles, session: 'a session' }) as const
export const merchant = userOf('the-merchant', 'merchant')

/** Who an access token speaks for. */
export const callerOf = ({
  user,
  accessToken,
}: OutputOf<typeof accounts.operations.login>): User => {
  const claims = Buffer.from(accessToken.split('.')[1] ?? '', 'base64url').toString()
  return { ...userOf(user.id, ...user.roles), session: /"sid":"([^"]+)"/.exec(claims)?.[1] ?? '' }
}

/** Fails unless the call was refused with this code. */
export const refused = async (code: string, call: Promise<unknown>): Promise<void> => {
  const error = await call.then(
    () => 'it was answered',
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof ServalError) || error.code !== code)
    throw new Error(`expected ${code}`, { cause: error })
}

/** Calls as no client does: an operation that is not there, an input of any form, strictly, or not to be tried again. */
export const askRaw = (
  { link, running }: Stage,
  contract: Contract | string,
  operation: string,
  caller: Caller,
  input: unknown,
  more: { readonly key?: string; readonly strict?: boolean } = {},
) => {
  const name = typeof contract === 'string' ? contract : contract.name
  return link.call({
    contract: name,
    operation,
    input,
    caller,
    key: more.key,
    deadline: running.env.now() + 10_000,
    signal: new AbortController().signal,
    trace: { correlationId: 'placement' },
    strict: more.strict ?? false,
    target: `${name}.${operation}`,
    repeatable: false,
  })
}
