import { contract, service, type Caller, type Client, type Env, type OutputOf } from 'serval'
import { bearer, edge } from 'serval/edge'
import { argon2Passwords } from 'serval/engines/argon2'
import { joseSigner, jwtAuthenticator } from 'serval/engines/jose'
import type { SqlServer } from 'serval/engines/sql'
import { eventually, startTestServices, type TestServices } from 'serval/testing'
import { accounts } from './contract.ts'
import { accountsService } from './service.ts'
import { audience, issuer } from './sessions/claims.ts'

export const anonymous = { kind: 'anonymous' } as const
export const operator = { kind: 'operator' } as const
export const orders = { kind: 'service', name: 'orders' } as const
export type User = Extract<Caller, { kind: 'user' }>
type SignedIn = OutputOf<typeof accounts.operations.login>

/** Cheap, but real; `done` says what was computed. */
export const countedPasswords = () => {
  const cheap = argon2Passwords({ memoryKib: 8, passes: 1, maxWaiting: 1_000 })
  const done: string[] = []
  return {
    done,
    decoy: cheap.decoy,
    hash: (password: string, signal?: AbortSignal) => {
      done.push('hash')
      return cheap.hash(password, signal)
    },
    verify: (password: string, hash: string, signal?: AbortSignal) => {
      done.push(hash === cheap.decoy ? 'verify decoy' : 'verify')
      return cheap.verify(password, hash, signal)
    },
  }
}

/** What was published, each with the name of its event. */
export interface Heard {
  readonly id: string
  readonly type: string
  readonly data: Readonly<Record<string, string>>
}

const listenerOf = (heard: Heard[]) => {
  const hear = ({ id, type, data }: Heard) => {
    // It may be delivered again: what is noted here is in no step.
    if (!heard.some((known) => known.id === id))
      heard.push({ id, type: type.replace(/\.v\d+$/, ''), data })
    return Promise.resolve()
  }
  return service(contract('listener', { operations: {} }), {
    operations: {},
    subscriptions: (on) => Object.values(accounts.events).map((event) => on(event, hear)),
  })
}

export interface Asked {
  readonly token?: string
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}
export interface Answered {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly json: Readonly<Record<string, unknown>>
}

/** Accounts behind an edge, without a socket. */
export const httpTo = ({
  system,
  authenticate,
}: Pick<AccountsInTest, 'system' | 'authenticate'>) => {
  const handle = edge({
    env: system.env,
    log: ignored,
    contracts: [accounts],
    link: system.link,
    serves: ({ access }) => access !== 'operator' && access !== 'internal',
    identify: bearer(authenticate),
  })
  return async (method: string, target: string, asked: Asked = {}): Promise<Answered> => {
    const { token, body } = asked
    const headers: Record<string, string> = {
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...asked.headers,
    }
    const bytes = new TextEncoder().encode(body === undefined ? '' : JSON.stringify(body))
    const reply = await handle({
      method,
      target,
      header: (name) => headers[name],
      remoteAddress: '127.0.0.1',
      signal: new AbortController().signal,
      body: () => Promise.resolve(bytes),
    })
    const text = typeof reply.body === 'string' ? reply.body : '{}'
    return {
      status: reply.status,
      headers: reply.headers,
      json: JSON.parse(text) as Answered['json'],
    }
  }
}
const ignore = () => undefined
const ignored = { debug: ignore, info: ignore, warn: ignore, error: ignore, with: () => ignored }

export interface AccountsInTest {
  readonly system: TestServices
  readonly heard: readonly Heard[]
  readonly hashed: string[]
  as(caller: Caller): Client<typeof accounts>
  readonly anybody: Client<typeof accounts>
  register(email?: string, name?: string): Promise<SignedIn>
  /** With the password that `register` sets. */
  login(email: string, password?: string): Promise<SignedIn>
  /** As an edge does it that knows of no session's end. */
  authenticate(accessToken: string): Promise<User | undefined>
  /** Who an access token speaks for. */
  callerOf(signedIn: SignedIn): Promise<User>
  /** The events of a type about a user, when there are so many. */
  published(type: string, userId: string, count: number): Promise<readonly Heard[]>
  /** The token of the latest mail of a kind to a user, when there are so many. */
  tokenOf(kind: string, userId: string, count?: number): Promise<string>
}

export const password = 'correct horse'
let people = 0

/** Accounts at work on a store. */
export const startAccounts = async (
  options: {
    readonly env?: Env
    readonly server?: SqlServer
    /** Where what is published is noted: hosts of one store share it. */
    readonly heard?: Heard[]
    /** Awaited before each access token is signed. */
    readonly signing?: () => Promise<unknown>
  } = {},
): Promise<AccountsInTest> => {
  const { heard = [], signing = () => Promise.resolve(), ...rest } = options
  const passwords = countedPasswords()
  const signer = joseSigner()
  const tokens: typeof signer = {
    publicKey: signer.publicKey,
    sign: async (claims, key) => {
      await signing()
      return signer.sign(claims, key)
    },
  }
  const system = await startTestServices({
    services: [accountsService, listenerOf(heard)],
    ports: { passwords, tokens },
    ...rest,
  })
  const as = (caller: Caller) => system.client(accounts, caller)
  const anybody = as(anonymous)
  const about = (type: string, userId: string) =>
    heard.filter((one) => one.type === type && one.data['userId'] === userId)
  const published = (type: string, userId: string, count: number) =>
    eventually(() => {
      const found = about(type, userId)
      return found.length >= count && found
    }, `${count} ${type}`)
  const keys = () => anybody.keys({})
  const authenticate = jwtAuthenticator({ keys, issuer, audience, env: system.env })
  return {
    system,
    heard,
    hashed: passwords.done,
    as,
    anybody,
    register: (email = `person-${(people += 1)}@example.org`, name = 'Ada') =>
      anybody.register({ email, password, name }),
    login: (email, typed = password) => anybody.login({ email, password: typed }),
    authenticate,
    callerOf: async ({ accessToken }) => {
      const user = await authenticate(accessToken)
      if (user === undefined) throw new Error('the access token is not valid')
      return user
    },
    published,
    tokenOf: async (kind, userId, count = 1) => {
      const found = await eventually(() => {
        const mails = about('mail.requested', userId).filter((one) => one.data['kind'] === kind)
        return mails.length >= count && mails
      }, `${count} ${kind} for ${userId}`)
      const requestId = found.at(-1)?.data['requestId'] ?? ''
      const { link } = await as(orders).mail({ requestId })
      return link?.split('#token=')[1] ?? ''
    },
  }
}

/** The code of a failure; 'ok' when there is none. */
export const outcome = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'ok',
    (error: unknown) => (error as { readonly code?: string }).code ?? String(error),
  )

export const tally = (found: readonly string[]): Readonly<Record<string, number>> =>
  Object.fromEntries(
    [...new Set(found)].sort().map((code) => [code, found.filter((one) => one === code).length]),
  )
