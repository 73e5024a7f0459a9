import type { Caller } from './call.ts'

/**
 * Says between hosts who calls. A token is good for one audience, for a minute; an issuer signs only what it may say: the edge
 * any caller but a service, a service itself. What is remembered is answered at once: most calls need not wait.
 */
export interface Identities {
  /** The token of a caller for the service that is called, made once per half-minute and remembered. */
  sign(caller: Caller, audience: string): string | Promise<string>
  /** Rejects with `unauthenticated` for what is not signed for this audience, or no longer good. */
  verify(token: string, audience: string): Caller | Promise<Caller>
}
