import type { World, User } from '../world.ts'

/*
 * The users whom a fuzzer acts as. What it does may end their sessions, change their passwords or close their accounts: then
 * others take their places.
 */

export const roleNames = ['admin', 'customer', 'victim'] as const
export type RoleName = (typeof roleNames)[number]

export interface Callers {
  readonly user: (name: RoleName) => User
  /** After its token was refused. Those who ask at the same moment get the same one. */
  readonly renew: (name: RoleName) => Promise<void>
  /** How many there were beyond the first ones. */
  readonly renewed: () => number
}

export const openCallers = async (world: World): Promise<Callers> => {
  const make = (name: RoleName) =>
    name === 'admin' ? world.appointed('merchant', 'admin') : world.register()
  const users = new Map<RoleName, User>()
  for (const name of roleNames) users.set(name, await make(name))
  const renewing = new Map<RoleName, Promise<void>>()
  let renewals = 0

  const renewed = async (name: RoleName): Promise<void> => {
    renewals += 1
    const old = users.get(name)
    const again =
      old === undefined || name === 'victim'
        ? await make(name)
        : await world.signIn(old.email, old.password).catch(() => make(name))
    users.set(name, again)
    renewing.delete(name)
  }
  return {
    user: (name) => {
      const user = users.get(name)
      if (user === undefined) throw new Error(`there is no ${name}`)
      return user
    },
    renew: (name) => {
      const under = renewing.get(name) ?? renewed(name)
      renewing.set(name, under)
      return under
    },
    renewed: () => renewals,
  }
}
