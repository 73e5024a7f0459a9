import { command, del, event, get, patch, query } from 'serval'
import { z } from 'zod'
import { Address } from '../../address.ts'
import { LastAdmin } from '../roles/contract.ts'
import { PersonName, User } from '../user.ts'

export const Profile = User.extend({
  emailVerified: z.boolean(),
  address: Address.optional(),
})

/** A merge patch (RFC 7396): null deletes. */
export const ProfilePatch = z.object({
  name: PersonName.optional(),
  address: z
    .object({
      name: Address.shape.name.nullable().optional(),
      street: Address.shape.street.nullable().optional(),
      city: Address.shape.city.nullable().optional(),
      postcode: Address.shape.postcode.nullable().optional(),
      country: Address.shape.country.nullable().optional(),
    })
    .nullable()
    .optional(),
})

const ifMatch = z.string().max(1_000).optional()

export const profileOperations = {
  profile: query({
    summary: 'My profile',
    access: 'user',
    http: get('/api/v1/users/me', { etag: true }),
    input: z.object({}),
    output: Profile,
  }),
  changeProfile: command({
    summary: 'Changes my name or address',
    access: 'user',
    repeat: 'natural',
    http: patch('/api/v1/users/me', { etag: true, ifMatch: true }),
    input: ProfilePatch.extend({ ifMatch }),
    output: Profile,
  }),
  erase: command({
    summary: 'Closes my account and erases what it says of me',
    access: 'user',
    repeat: 'natural',
    http: del('/api/v1/users/me', { ifMatch: true }),
    input: z.object({ ifMatch }),
    output: z.undefined(),
    problems: [LastAdmin],
  }),
}

const OfUser = z.object({ userId: z.string() })

export const profileEvents = {
  profileChanged: event('profile.changed', {
    version: 1,
    key: 'userId',
    data: OfUser,
    purges: ['profile::userId'],
  }),
  /** Whoever keeps something personal under this id removes it. */
  userErased: event('user.erased', {
    version: 1,
    key: 'userId',
    data: OfUser,
    purges: ['profile::userId'],
  }),
}
