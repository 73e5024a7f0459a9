import { failure } from 'serval'
import type { z } from 'zod'
import { Address } from '../../address.ts'
import type { UserRecord } from '../repository.ts'
import type { Profile, ProfilePatch } from './contract.ts'

export const profileView = (user: UserRecord): z.input<typeof Profile> => ({
  id: user.id,
  email: user.email,
  name: user.name,
  roles: [...user.roles],
  emailVerified: user.verifiedAt !== undefined,
  ...(user.address === undefined ? {} : { address: user.address }),
})

type AddressPatch = z.output<typeof ProfilePatch>['address']

/** A merge patch goes into objects (RFC 7396): what it leaves out stays. The whole must be an address then. */
const patchedAddress = (address: Address | undefined, patch: AddressPatch): Address | undefined => {
  if (patch === undefined) return address
  if (patch === null) return undefined
  const merged = Object.entries({ ...address, ...patch }).filter(([, value]) => value !== null)
  const parsed = Address.safeParse(Object.fromEntries(merged))
  if (parsed.success) return parsed.data
  const errors = parsed.error.issues.map(({ path, message }) => ({
    pointer: `/address/${path.join('/')}`,
    message,
  }))
  throw failure('invalid-input', 'The address would not be whole', { data: { errors } })
}

/** The user after a merge patch; the same object when nothing changes. Throws `invalid-input`. */
export const patched = (user: UserRecord, patch: z.output<typeof ProfilePatch>): UserRecord => {
  const address = patchedAddress(user.address, patch.address)
  const name = patch.name ?? user.name
  const fields: readonly (keyof Address)[] = ['name', 'street', 'city', 'postcode', 'country']
  const same =
    name === user.name &&
    (address === undefined) === (user.address === undefined) &&
    fields.every((field) => address?.[field] === user.address?.[field])
  return same ? user : { ...user, name, address }
}
