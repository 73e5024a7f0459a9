import { failure, problem, rfc3339, service, type Caller } from 'serval'
import { mailbox } from 'serval/engines/mailbox'
import { eventually, startTestServices, type TestServices } from 'serval/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { accounts, NoSuchUser } from '../accounts/contract.ts'
import { orders, type reasons } from '../orders/contract.ts'
import { kinds, notifications } from './contract.ts'
import type { Mailer } from './mail.ts'
import { unused } from './others-in-test.suite.ts'
import { notificationsService } from './service.ts'

const operator: Caller = { kind: 'operator' }
const user = (id: string): Caller => ({ kind: 'user', id, roles: [], session: 's' })
const total = { amount: 4_200, currency: 'GBP' }

/** What happened to an order, published when the order is "cancelled". */
interface Happened {
  readonly customerId: string
  readonly cancelled?: { readonly reason: (typeof reasons)[number]; readonly refunded: boolean }
}
const happened = new Map<string, Happened>()
const ordersService = service(orders, {
  operations: {
    ...unused(orders),
    cancel: ({ id }, { step, env }) => {
      const what = happened.get(id)
      // The next call of it is a repeat, and publishes nothing.
      happened.delete(id)
      return step(async (s) => {
        const view = {
          id,
          status: 'confirmed' as const,
          lines: [],
          total,
          placedAt: rfc3339(env.now()),
        }
        if (what === undefined) return view
        const { customerId, cancelled } = what
        const moved = { orderId: id, customerId, total }
        if (cancelled === undefined) s.emit(orders.events.confirmed, { ...moved, lines: [] })
        else s.emit(orders.events.cancelled, { ...moved, ...cancelled })
        return view
      })
    },
  },
})

const contacts = new Map<string, { email: string; name: string }>()
let accountsFail = 0
const accountsService = service(accounts, {
  operations: {
    ...unused(accounts),
    contact: async ({ userId }) => {
      if (accountsFail > 0) {
        accountsFail -= 1
        throw failure('store-unavailable')
      }
      const contact = contacts.get(userId)
      if (contact === undefined) throw NoSuchUser(undefined)
      return contact
    },
  },
})

const Refused = problem('mail-refused', { kind: 'unprocessable', title: 'Refused' })
const box = mailbox()
/** What the next mails to an address come to. */
const troubles = new Map<string, ('down' | 'lost')[]>()
const refusing = new Set<string>()
const mail: Mailer = {
  send: async (sent) => {
    const trouble = troubles.get(sent.to)?.shift()
    if (refusing.has(sent.to)) throw Refused(undefined)
    if (trouble === 'down') throw failure('unavailable', 'the mail server is away')
    await box.send(sent)
    if (trouble === 'lost') throw failure('unavailable', 'lost', { ran: 'unknown' })
  },
  mailbox: box.mailbox,
}

let system: TestServices
beforeAll(async () => {
  system = await startTestServices({
    services: [notificationsService, ordersService, accountsService],
    ports: { mail },
  })
})
afterAll(() => system.end())

let people = 0
const person = () => {
  const id = `user-${(people += 1)}`
  const contact = { email: `${id}@example.org`, name: `Person ${people}` }
  contacts.set(id, contact)
  return { id, ...contact }
}
const publish = async (orderId: string, what: Happened) => {
  happened.set(orderId, what)
  await system.client(orders, user(what.customerId)).cancel({ id: orderId })
}
const listOf = (id: string, input: { limit?: number; cursor?: string } = {}) =>
  system.client(notifications, user(id)).list(input)
const mailsTo = async (to: string) =>
  (await system.client(notifications, operator).mails({ to })).items
const notified = (id: string, count: number) =>
  eventually(async () => {
    const { items } = await listOf(id, { limit: 100 })
    return items.length === count && items
  }, `notification ${count} of ${id}`)

test('a confirmed order is told by mail, and listed to its customer only', async () => {
  const [ada, bob] = [person(), person()]
  await publish('order-1', { customerId: ada.id })
  const [item] = await notified(ada.id, 1)
  expect(item).toMatchObject({
    kind: 'order-confirmed',
    orderId: 'order-1',
    subject: 'Your order order-1 is confirmed',
  })
  expect(await listOf(bob.id)).toEqual({ items: [] })
  const mails = await mailsTo(ada.email)
  expect(mails).toHaveLength(1)
  expect(mails[0]).toMatchObject({ messageId: `<${item?.id}@shop.test>`, to: ada.email })
  expect(mails[0]?.text).toContain('£42.00')
})

test('what somebody chose as a name is in no mail: the address may be a stranger’s', async () => {
  const { id, email } = person()
  contacts.set(id, { email, name: 'You won, claim it at evil.example' })
  await publish('order-8', { customerId: id })
  await publish('order-8', {
    customerId: id,
    cancelled: { reason: 'payment-declined', refunded: false },
  })
  await notified(id, 2)
  const mails = await mailsTo(email)
  expect(mails).toHaveLength(2)
  for (const { subject, text } of mails) expect(`${subject} ${text}`).not.toContain('You won')
})

test('a cancelled order is told with its reason and the refund', async () => {
  const ada = person()
  await publish('order-2', {
    customerId: ada.id,
    cancelled: { reason: 'payment-timeout', refunded: true },
  })
  const [item] = await notified(ada.id, 1)
  expect(item).toMatchObject({ kind: 'order-cancelled', orderId: 'order-2' })
  const [sent] = await mailsTo(ada.email)
  expect(sent?.text).toContain('We could not take the payment in time.')
  expect(sent?.text).toContain('We have refunded £42.00.')
})

test('to somebody who was erased nothing is sent, and the others’ mails go on', async () => {
  const ada = person()
  await publish('order-3', { customerId: 'erased' })
  await publish('order-3', { customerId: ada.id })
  await notified(ada.id, 1)
  expect(await listOf('erased')).toEqual({ items: [] })
})

test('a mail whose answer was lost is sent again under its Message-ID: one mail, one notification', async () => {
  const ada = person()
  troubles.set(ada.email, ['lost', 'lost'])
  await publish('order-4', { customerId: ada.id })
  await notified(ada.id, 1)
  expect(await mailsTo(ada.email)).toMatchObject([{ repeats: 2 }])
})

test('while the mail server or accounts are away, mails wait', async () => {
  const ada = person()
  troubles.set(
    ada.email,
    Array.from({ length: 8 }, () => 'down' as const),
  )
  accountsFail = 4
  await publish('order-5', { customerId: ada.id })
  await publish('order-5', {
    customerId: ada.id,
    cancelled: { reason: 'out-of-stock', refunded: false },
  })
  const items = await notified(ada.id, 2)
  expect(items.map((item) => item.kind)).toEqual(['order-cancelled', 'order-confirmed'])
  expect(await mailsTo(ada.email)).toMatchObject([{ repeats: 0 }, { repeats: 0 }])
})

test('a mail that is refused stops no other order’s, and its address is in no log', async () => {
  const [ada, bob] = [person(), person()]
  refusing.add(ada.email)
  await publish('order-6', { customerId: ada.id })
  await publish('order-7', { customerId: bob.id })
  await notified(bob.id, 1)
  await eventually(
    () => system.lines.some((line) => line.includes('parked') && line.includes('order-6')),
    'the parking',
  )
  expect(await listOf(ada.id)).toEqual({ items: [] })
  expect(system.lines.join('\n')).not.toContain('@example.org')
})

test('pages of a list are newest first, and none is missing or twice', async () => {
  const ada = person()
  const ids = Array.from({ length: 23 }, (_, n) => `page-${n}`)
  await Promise.all(ids.map((id) => publish(id, { customerId: ada.id })))
  const all = await notified(ada.id, 23)
  const order = all.map((item) => `${item.sentAt} ${item.id}`)
  expect(order).toEqual(order.toSorted((a, b) => (a < b ? 1 : -1)))
  const pages: string[][] = []
  for (let cursor: string | undefined; ;) {
    const page = await listOf(ada.id, { limit: 10, ...(cursor === undefined ? {} : { cursor }) })
    pages.push(page.items.map((item) => item.id))
    cursor = page.next
    if (cursor === undefined) break
  }
  expect(pages.map((page) => page.length)).toEqual([10, 10, 3])
  expect(pages.flat()).toEqual(all.map((item) => item.id))
  expect((await listOf(ada.id, { limit: 23 })).next).toBeUndefined()
})

test('a cursor that was tampered with is refused', async () => {
  await expect(listOf('user-1', { cursor: 'eyJhdCI6MX0' })).rejects.toMatchObject({
    code: 'invalid-input',
    data: { errors: [{ pointer: '/cursor' }] },
  })
})

test('only users have notifications; only the operator reads mails', async () => {
  const calls = (caller: Caller) => system.client(notifications, caller)
  await expect(calls({ kind: 'anonymous' }).list({})).rejects.toMatchObject({
    code: 'unauthenticated',
  })
  await expect(calls({ kind: 'service', name: 'orders' }).list({})).rejects.toMatchObject({
    code: 'forbidden',
  })
  await expect(calls(user('user-1')).mails({})).rejects.toMatchObject({ code: 'forbidden' })
})

test('the audit counts notifications by kind, and the mailbox’s mails and repeats', async () => {
  const { sent, mailbox: held } = await system.client(notifications, operator).audit({})
  const total = sent.reduce((sum, each) => sum + each.notifications, 0)
  expect(sent.map((each) => each.kind)).toEqual([...kinds])
  expect(held).toEqual({ mails: total, repeats: 2 })
})

test('with a real mail server there is no mailbox to read', async () => {
  const real = await startTestServices({
    services: [notificationsService, ordersService, accountsService],
    ports: { mail: { send: mail.send } satisfies Mailer },
  })
  const calls = real.client(notifications, operator)
  expect(await calls.mails({})).toEqual({ items: [] })
  expect(await calls.audit({})).toEqual({
    sent: kinds.map((kind) => ({ kind, notifications: 0 })),
  })
  await real.end()
})
