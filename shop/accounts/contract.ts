import { contract } from 'serval'
import { mailEvents, mailOperations } from './mail/contract.ts'
import { passwordOperations } from './password/contract.ts'
import { profileEvents, profileOperations } from './profile/contract.ts'
import { roleOperations } from './roles/contract.ts'
import { sessionEvents, sessionOperations } from './sessions/contract.ts'
import { signInOperations } from './sign-in/contract.ts'
import { signingKeyOperations } from './signing-keys/contract.ts'

export { MailKind, NothingToSend } from './mail/contract.ts'
export { SignedIn } from './sign-in/contract.ts'
export { NoSuchUser, type Role } from './user.ts'

/** Users, their sign-ins and sessions. Each folder holds one concept: its part of the contract, its handlers, its rules. */
export const accounts = contract('accounts', {
  operations: {
    ...signInOperations,
    ...sessionOperations,
    ...passwordOperations,
    ...mailOperations,
    ...profileOperations,
    ...roleOperations,
    ...signingKeyOperations,
  },
  events: { ...sessionEvents, ...profileEvents, ...mailEvents },
})
