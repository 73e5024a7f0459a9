import type { UserRecord } from '../repository.ts'
import { knownRoles, type Role } from '../user.ts'

/** Each role once, in one order. */
export const inOrder = (roles: readonly string[]): Role[] =>
  knownRoles.filter((role) => roles.includes(role))

const isAdmin = ({ roles }: UserRecord) => roles.includes('admin')

/** Whether nobody else of `all`, who are all admins that there are, is one. */
export const isLastAdmin = (user: UserRecord, all: readonly UserRecord[]): boolean =>
  isAdmin(user) && !all.some((other) => other.id !== user.id && isAdmin(other))
