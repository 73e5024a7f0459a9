import { failure, systemEnv, type Caller } from 'serval'
import { argon2Passwords } from 'serval/engines/argon2'
import { joseSigner, jwtAuthenticator } from 'serval/engines/jose'
import { mailbox } from 'serval/engines/mailbox'
import { pglite } from 'serval/engines/pglite'
import {
  crashing,
  dieAt,
  eventually,
  recordPoints,
  startTestServices,
  type CrashPoints,
  type TestServices,
} from 'serval/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { accounts } from '../accounts/contract.ts'
import { accountsService } from '../accounts/service.ts'
import { notifications } from './contract.ts'
import type { Mail, Mailer } from './mail.ts'
import { noOrders } from './others-in-test.suite.ts'
import { notificationsService } from './service.ts'

/* Mails about accounts, as accounts itself asks for them. */

let shift = 0
const env = { ...systemEnv(), now: () => Date.now() + shift }
const services = [accountsService, notificationsService, noOrders]
const others = {
  passwords: argon2Passwords({ memoryKib: 8, passes: 1 }),
  tokens: joseSigner(),
}
const anonymous: Caller = { kind: 'anonymous' }

/** A mailbox, and every mail that was handed over, repeats, too. */
const watchedMailbox = () => {
  const box = mailbox({})
  const sent: Mail[] = []
  /** How often the answer to a mail to an address gets lost. */
  const answersLost = new Map<string, number>()
  const mail: Mailer = {
    send: async (one) => {
      sent.push(one)
      await box.send(one)
      const left = answersLost.get(one.to) ?? 0
      answersLost.set(one.to, left - 1)
      if (left > 0) throw failure('unavailable', 'lost', { ran: 'unknown' })
    },
    mailbox: box.mailbox,
  }
  return { mail, sent, answersLost }
}

const post = watchedMailbox()
let system: TestServices
beforeAll(async () => {
  system = await startTestServices({ services, env, ports: { ...others, mail: post.mail } })
})
afterAll(() => system.end())

let people = 0
const nextEmail = () => `mail-${people + 1}@example.org`
const register = async (running = system) => {
  const email = nextEmail()
  people += 1
  const { user, accessToken } = await running
    .client(accounts, anonymous)
    .register({ email, password: 'correct horse', name: 'Buy now' })
  return { ...user, accessToken }
}
const mailsTo = (email: string, sent = post.sent) => sent.filter(({ to }) => to === email)
/** The mails to an address, each once, when there are so many. */
const mailTo = (email: string, count = 1) =>
  eventually(() => {
    const once = [...new Map(mailsTo(email).map((one) => [one.messageId, one])).values()]
    return once.length >= count && once
  }, 'the mail')
const tokenIn = ({ text }: Mail) => /#token=(\S+)/.exec(text)?.[1] ?? ''
const asUser = (id: string): Caller => ({ kind: 'user', id, roles: [], session: 's' })
const listed = async (id: string, count: number) =>
  eventually(async () => {
    const { items } = await system.client(notifications, asUser(id)).list({})
    return items.length >= count && items
  }, `notification ${count}`)

describe('a mail about an account', () => {
  test('goes out when the account is opened, with a link that confirms the address', async () => {
    const user = await register()
    const [mail] = await mailTo(user.email)
    const token = tokenIn(mail ?? { messageId: '', to: '', subject: '', text: '' })
    await system.client(accounts, anonymous).verifyEmail({ token })
    expect(await system.client(accounts, asUser(user.id)).profile({})).toMatchObject({
      emailVerified: true,
    })
  })

  test('has no words that whoever opened the account chose', async () => {
    const user = await register()
    const [mail] = await mailTo(user.email)
    expect(JSON.stringify(mail)).not.toContain('Buy now')
  })

  test('is listed by its subject, without its link', async () => {
    const user = await register()
    await system.client(accounts, anonymous).forgotPassword({ email: user.email })
    const [, mail] = await mailTo(user.email, 2)
    const password = 'another horse'
    await system
      .client(accounts, anonymous)
      .resetPassword({ token: tokenIn(mail ?? post.sent[0]!), password })
    const items = await listed(user.id, 3)
    expect(items.map(({ kind }) => kind)).toEqual([
      'password-changed',
      'password-reset',
      'email-verification',
    ])
    expect(items[1]).toMatchObject({ subject: 'Choose a new password' })
    expect(JSON.stringify(items)).not.toMatch(/token|@|#/)
    expect(items.every((item) => item.orderId === undefined)).toBe(true)
  })

  test('that is repeated is the same, token and Message-ID', async () => {
    post.answersLost.set(nextEmail(), 2)
    const user = await register()
    await listed(user.id, 1)
    const mails = mailsTo(user.email)
    expect(mails.length).toBeGreaterThanOrEqual(3)
    expect(new Set(mails.map((mail) => JSON.stringify(mail))).size).toBe(1)
    expect(tokenIn(mails[0] ?? post.sent[0]!)).toMatch(/^[\w.-]{80}$/)
  })

  test('is in no log, with its address or its token', async () => {
    const user = await register()
    const [mail] = await mailTo(user.email)
    const told = system.lines.join('\n')
    expect(told).not.toContain(user.email)
    expect(told).not.toContain(tokenIn(mail ?? post.sent[0]!))
  })
})

describe('an erasure', () => {
  const erase = async (user: { readonly id: string; readonly accessToken: string }) => {
    const keys = () => system.client(accounts, anonymous).keys({})
    const check = jwtAuthenticator({ keys, issuer: 'serval-shop', audience: 'serval-shop', env })
    const caller = await check(user.accessToken)
    if (caller === undefined) throw new Error('no valid token')
    await system.client(accounts, caller).erase({})
  }

  test('takes what was sent to the user, also what was recorded a moment later, and nobody else’s', async () => {
    const [ada, bob] = [await register(), await register()]
    await listed(ada.id, 1)
    await listed(bob.id, 1)
    const store = system.stores.get('notifications')
    const add = (userId: string, id: string) =>
      store?.commit(async ({ repositories }) => {
        const { notifications: own } = repositories as {
          notifications: { add(userId: string, one: object): Promise<void> }
        }
        const kind = 'password-reset'
        await own.add(userId, { id, kind, subject: 'x', sentAt: env.now(), orderId: undefined })
      }, false)
    // More than one batch.
    for (let at = 0; at < 1_100; at += 1) await add(ada.id, `many-${at}`)
    await erase(ada)
    const gone = () =>
      eventually(async () => {
        const { items } = await system.client(notifications, asUser(ada.id)).list({})
        return items.length === 0
      }, 'the erasure')
    await gone()
    await add(ada.id, 'late')
    shift += 5 * 60_000
    await gone()
    expect(await listed(bob.id, 1)).toHaveLength(1)
  })
})

describe('a process that dies', () => {
  test('before or after any write of a mail’s way sends one mail, with one token', async () => {
    const server = pglite({})
    const box = watchedMailbox()
    const start = (points: CrashPoints) =>
      startTestServices({
        services,
        server: crashing(server, points),
        ports: { ...others, mail: box.mail },
      })
    const notified = async (running: TestServices, user: { readonly id: string }) =>
      eventually(async () => {
        const { items } = await running.client(notifications, asUser(user.id)).list({})
        return items.length === 1
      }, 'the notification')

    const record = recordPoints()
    const clean = await start(record)
    const before = record.points.length
    await notified(clean, await register(clean))
    const points = record.points.slice(before).filter((point) => point.startsWith('notifications'))
    await clean.end({ keepServer: true })
    expect(points.length).toBeGreaterThan(3)

    for (const point of new Set(points)) {
      const life = dieAt(point)
      const doomed = await start(life)
      const user = await register(doomed).catch(() => undefined)
      await eventually(() => life.dead, `the death ${point}`)
      await doomed.end({ keepServer: true })
      const next = await start(recordPoints())
      if (user !== undefined) {
        await notified(next, user)
        const mails = mailsTo(user.email, box.sent)
        expect(new Set(mails.map((mail) => JSON.stringify(mail))).size, point).toBe(1)
        expect(box.mail.mailbox?.newest({ limit: 100, to: user.email })).toHaveLength(1)
      }
      await next.end({ keepServer: true })
    }
    await server.close()
  }, 60_000)
})
