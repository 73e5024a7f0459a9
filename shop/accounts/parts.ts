import { failure, port, type Caller, type Context, type InputOf, type Step } from 'serval'
import type { z } from 'zod'
import { accounts } from './contract.ts'
import type { PasswordHasher, TokenSigner } from './ports.ts'
import { mailCounts, mailRequests, sessions, signingKeys, tries, users } from './repository.ts'

/** What the handlers work with. */
export const parts = {
  // Itself: an operation that needs a signing key has `keys` make the first one, in a step of its own.
  uses: { accounts },
  repositories: { users, sessions, signingKeys, tries, mailRequests, mailCounts },
  ports: { passwords: port<PasswordHasher>(), tokens: port<TokenSigner>() },
}

export type AccountsContext = Context<
  typeof parts.uses,
  typeof parts.repositories,
  typeof parts.ports
>
export type AccountsStep = Step<typeof parts.repositories>

type Operations = typeof accounts.operations

/** The handlers of some operations. */
export type Handlers<Name extends keyof Operations> = {
  readonly [N in Name]: (
    input: InputOf<Operations[N]>,
    ctx: AccountsContext,
  ) => Promise<z.input<Operations[N]['output']>>
}

/** Operations for users may be called by services, too; those that are about “me” then have nobody to be about. */
export const me = ({ caller }: AccountsContext): Extract<Caller, { kind: 'user' }> => {
  if (caller.kind === 'user') return caller
  throw failure('forbidden', 'Only users have an account')
}

/** For a user who is no more: the access token outlived the account by a moment. */
export const gone = () => failure('unauthenticated', 'The account of this access token is closed')
