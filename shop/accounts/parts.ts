import { port, type Context } from 'serval'
import { accounts } from './contract.ts'
import type { PasswordHasher, TokenSigner } from './ports.ts'
import { sessions, signingKeys, users } from './repository.ts'

/** What the handlers work with. */
export const parts = {
  // Itself: an operation that needs a signing key has `keys` make the first one, in a step of its own.
  uses: { accounts },
  repositories: { users, sessions, signingKeys },
  ports: { passwords: port<PasswordHasher>(), tokens: port<TokenSigner>() },
}

export type AccountsContext = Context<
  typeof parts.uses,
  typeof parts.repositories,
  typeof parts.ports
>
