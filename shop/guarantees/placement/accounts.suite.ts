import { eventually } from 'serval/testing'
import { accounts } from '../../accounts/contract.ts'
import { notifications } from '../../notifications/contract.ts'
import {
  anonymous,
  askRaw,
  callerOf,
  operator,
  other,
  refused,
  userOf,
  type Stage,
} from './stage.suite.ts'

const password = 'correct horse ünï 🐈'
const address = {
  name: 'Ada',
  street: '1 High Street',
  city: 'Zürich',
  postcode: '8001',
  country: 'CH',
}

/** The token in the newest of so many mails to an address. */
const mailedToken = ({ running }: Stage, to: string, mails: number): Promise<string> =>
  eventually(async () => {
    const { items } = await running.client(notifications, operator).mails({ to })
    return items.length === mails && /#token=(\S+)/.exec(items[0]?.text ?? '')?.[1]
  }, `${mails} mails to ${to}`)

const requestOf = (token: string) => token.split('.')[0] ?? ''

export const accountsScript = async (stage: Stage): Promise<void> => {
  const anybody = stage.client(accounts, anonymous)
  const services = stage.client(accounts, other)
  const email = 'ada@example.org'

  await anybody.keys({})
  const registered = await anybody.register({ email, password, name: ' Ada Ünï 🐈 ' })
  await refused('email-taken', anybody.register({ email, password, name: 'Ada' }))
  const provided = { email: 'boss@example.org', password, name: 'Boss', roles: ['admin' as const] }
  await services.provide(provided)
  await services.provide(provided)
  const boss = stage.client(accounts, callerOf(await anybody.login(provided)))
  const signedIn = await anybody.login({ email: ` ${email.toUpperCase()}`, password })
  await refused('sign-in-failed', anybody.login({ email, password: 'wrong' }))

  const token = await mailedToken(stage, email, 1)
  await services.mail({ requestId: requestOf(token) })
  await refused('nothing-to-send', services.mail({ requestId: 'none' }))
  await services.contact({ userId: registered.user.id })
  await refused('no-such-user', services.contact({ userId: 'nobody' }))
  await refused(
    'email-not-verified',
    stage.client(accounts, operator).appoint({ email, roles: ['merchant'] }),
  )
  await anybody.verifyEmail({ token })
  await refused('link-refused', anybody.verifyEmail({ token: `${token}x` }))
  await stage.client(accounts, operator).appoint({ email, roles: ['merchant'] })
  await refused(
    'no-such-user',
    stage.client(accounts, operator).appoint({ email: 'x@example.org', roles: [] }),
  )
  await boss.setRoles({ id: registered.user.id, roles: [] })
  await refused('no-such-user', boss.setRoles({ id: 'nobody', roles: [] }))
  await refused('last-admin', boss.erase({}))
  const { id } = await boss.profile({})
  await refused('last-admin', boss.setRoles({ id, roles: [] }))

  const trade = await anybody.refresh({ refreshToken: signedIn.refreshToken })
  await refused('refresh-refused', anybody.refresh({ refreshToken: 'none' }))
  const me = stage.client(accounts, callerOf(trade))
  await me.profile({})
  await me.changeProfile({ name: 'Ada L.', address })
  await me.changeProfile({ address: { street: '2 High Street' } })
  await me.changeProfile({ address: null })
  await refused('precondition-failed', me.changeProfile({ name: 'B', ifMatch: '"x"' }))
  await refused('invalid-input', me.changeProfile({ name: 'a\nb' }))
  const first = await me.sessions({ limit: 1 })
  await me.sessions({ limit: 1, ...(first.next !== undefined && { cursor: first.next }) })
  const { items } = await me.sessions({})
  const [another] = items.filter(({ current }) => !current)
  await me.endSession({ id: another?.id ?? '' })
  await refused('no-such-session', me.endSession({ id: another?.id ?? '' }))
  await services.endedSessions({})

  await me.changePassword({ currentPassword: password, newPassword: `${password}!` })
  await refused(
    'wrong-password',
    me.changePassword({ currentPassword: 'wrong', newPassword: password }),
  )
  await mailed(stage, email, 2)
  await anybody.forgotPassword({ email })
  await anybody.forgotPassword({ email: 'nobody@example.org' })
  const reset = await mailedToken(stage, email, 3)
  await anybody.resetPassword({ token: reset, password })
  await refused('link-refused', anybody.resetPassword({ token: reset, password }))
  await mailed(stage, email, 4)
  const again = await anybody.login({ email, password })
  await stage.client(accounts, callerOf(again)).logout({})
  await stage.client(accounts, operator).rotateSigningKey({})
  await refused('forbidden', askRaw(stage, accounts, 'rotateSigningKey', userOf('x', 'admin'), {}))
  await refused('unauthenticated', askRaw(stage, accounts, 'profile', anonymous, {}))
  await refused('forbidden', askRaw(stage, accounts, 'provide', operator, provided))

  // Locked for a second: what follows follows at once.
  const guess = () => anybody.login({ email: 'locked@example.org', password: 'wrong' })
  for (let n = 0; n < 5; n++) await refused('sign-in-failed', guess())
  await refused('sign-in-locked', guess())
  const guessed = () => me.changePassword({ currentPassword: 'wrong', newPassword: password })
  for (let n = 0; n < 5; n++) await refused('wrong-password', guessed())
  await refused('sign-in-locked', guessed())
  await me.erase({})
  await me.erase({})
  await refused('no-such-user', services.contact({ userId: registered.user.id }))
}

const mailed = ({ running }: Stage, to: string, mails: number): Promise<unknown> =>
  eventually(async () => {
    const { items } = await running.client(notifications, operator).mails({ to })
    return items.length === mails
  }, `${mails} mails to ${to}`)
