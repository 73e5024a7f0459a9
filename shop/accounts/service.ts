import { service } from 'serval'
import { accounts } from './contract.ts'
import { rememberedMs } from './lockout/lockout.ts'
import { mailHandlers, pruneMailRequests } from './mail/operations.ts'
import { parts } from './parts.ts'
import { passwordHandlers, ResetMail, sendResetMail } from './password/operations.ts'
import { profileHandlers } from './profile/operations.ts'
import { roleHandlers } from './roles/operations.ts'
import { pruneSessions, sessionHandlers } from './sessions/operations.ts'
import { signInHandlers } from './sign-in/operations.ts'
import { rotateWhenDue, signingKeyHandlers } from './signing-keys/operations.ts'

export const accountsService = service(accounts, {
  ...parts,
  operations: {
    ...signInHandlers,
    ...sessionHandlers,
    ...passwordHandlers,
    ...mailHandlers,
    ...profileHandlers,
    ...roleHandlers,
    ...signingKeyHandlers,
  },
  jobs: (jobs) => [
    jobs.every('prune-sessions', '10m', pruneSessions),
    jobs.every('prune-mail-requests', '10m', pruneMailRequests),
    jobs.every('prune-sign-in-tries', '10m', (ctx) =>
      ctx.step(async (s) => s.tries.prune(ctx.env.now() - rememberedMs)),
    ),
    jobs.every('rotate-signing-key', '1h', rotateWhenDue),
    jobs.once('reset-mail', ResetMail, sendResetMail),
  ],
})
