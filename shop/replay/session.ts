import { ServalError, type Env } from 'serval'
import type { z } from 'zod'
import type { SignedIn } from '../accounts/contract.ts'
import type { Shop, Token, UserShop } from './client.ts'
import { Complaint } from './complaint.ts'
import type { Patiently } from './patience.ts'

type Answer = z.output<typeof SignedIn>

export interface Account {
  readonly email: string
  readonly password: string
  /** Given: the account is opened when there is none. */
  readonly name?: string
}

export interface SessionOptions {
  readonly shop: Shop
  readonly env: Env
  readonly patiently: Patiently
}

/** Access tokens are renewed so long before they end. */
const spareMs = 60_000

const isCode = (error: unknown, ...codes: string[]) =>
  error instanceof ServalError && codes.includes(error.code)

/** A user who stays signed in. */
export class Session {
  readonly #account: Account
  readonly #options: SessionOptions
  #answer: Answer
  #renewAt = 0
  #renewing: Promise<void> | undefined
  readonly shop: UserShop
  readonly token: Token = () => this.#answer.accessToken

  private constructor(account: Account, options: SessionOptions, answer: Answer) {
    this.#account = account
    this.#options = options
    this.#answer = answer
    this.#take(answer)
    this.shop = options.shop.as(this.token)
  }

  /** Opens the account, or signs in when there is one. */
  static async open(account: Account, options: SessionOptions): Promise<Session> {
    return new Session(account, options, await enter(account, options))
  }

  get userId(): string {
    return this.#answer.user.id
  }

  get roles(): readonly string[] {
    return this.#answer.user.roles
  }

  /** Calls as this user, patiently; signs in anew when the token does not count any more. */
  async call<T>(run: (shop: UserShop) => Promise<T>): Promise<T> {
    return this.#options.patiently(async () => {
      if (this.#options.env.now() >= this.#renewAt) await this.#renew()
      const before = this.token()
      try {
        return await run(this.shop)
      } catch (error) {
        if (!isCode(error, 'unauthenticated')) throw error
        if (this.token() === before) await this.#renew()
        return run(this.shop)
      }
    })
  }

  #take(answer: Answer): void {
    this.#answer = answer
    const lifeMs = answer.expiresIn * 1_000
    this.#renewAt = this.#options.env.now() + Math.max(lifeMs - spareMs, lifeMs / 2)
  }

  /** Once for all who wait: a refresh token counts once. */
  #renew(): Promise<void> {
    this.#renewing ??= this.#refreshed().then(
      (answer) => {
        this.#renewing = undefined
        this.#take(answer)
      },
      (error: unknown) => {
        this.#renewing = undefined
        throw error
      },
    )
    return this.#renewing
  }

  async #refreshed(): Promise<Answer> {
    try {
      const { refreshToken } = this.#answer
      return await this.#options.shop.accounts.refresh({ refreshToken })
    } catch (error) {
      if (!isCode(error, 'refresh-refused')) throw error
      return enter(this.#account, this.#options)
    }
  }
}

const enter = async (account: Account, { shop, patiently }: SessionOptions): Promise<Answer> => {
  const { email, password, name } = account
  if (name !== undefined)
    try {
      // A repeat after a lost reply finds the address taken, and signs in.
      return await patiently(() => shop.accounts.register({ email, password, name }))
    } catch (error) {
      if (!isCode(error, 'email-taken')) throw error
    }
  try {
    return await patiently(() => shop.accounts.login({ email, password }))
  } catch (error) {
    if (!isCode(error, 'sign-in-failed')) throw error
    throw new Complaint(`${email} cannot sign in with the password that was given.`)
  }
}
