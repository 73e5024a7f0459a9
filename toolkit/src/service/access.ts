import { failure } from '../base/failure.ts'
import type { Access } from '../contract/index.ts'
import type { Caller } from '../link/call.ts'

/** Lets a call pass or throws `unauthenticated` or `forbidden`. Services may call whatever is not the operator's. */
export const authorize = (access: Access, caller: Caller): void => {
  if (access === 'public') return
  if (access === 'operator') {
    if (caller.kind === 'operator') return
    throw failure('forbidden', 'Only the operator may do this')
  }
  if (caller.kind === 'service') return
  if (access === 'internal') throw failure('forbidden', 'Only services of the system may do this')
  if (caller.kind !== 'user') throw failure('unauthenticated', 'Sign in and send the access token')
  if (access === 'user' || caller.roles.includes(access.slice('role:'.length))) return
  throw failure('forbidden', `Only the role ${access.slice('role:'.length)} may do this`)
}

/** Who a key belongs to: the same key of two callers, or of two operations, is two keys. */
export const scopeOf = (
  caller: Caller | { readonly kind: 'user'; readonly id: string },
  target: string,
): string => {
  const who =
    caller.kind === 'user'
      ? `user:${caller.id}`
      : caller.kind === 'service'
        ? `service:${caller.name}`
        : caller.kind
  return `${who} ${target}`
}
