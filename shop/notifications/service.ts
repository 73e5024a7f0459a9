import {
  failure,
  pageCursor,
  rfc3339,
  ServalError,
  service,
  type Context,
  type Message,
} from 'serval'
import { z } from 'zod'
import { accounts, NoSuchUser } from '../accounts/contract.ts'
import { orders } from '../orders/contract.ts'
import { kinds, notifications } from './contract.ts'
import { mail } from './mail.ts'
import { render, type Occasion } from './render.ts'
import { notifications as notificationRepository, type SentNotification } from './repository.ts'

/** A list goes on after this notification: when it was sent, in milliseconds, up to the year 9999. */
const pages = pageCursor(
  z.strictObject({
    at: z.int().min(0).max(253_402_300_799_999),
    id: z.string().regex(/^[!-~]{1,64}$/),
  }),
)

const parts = {
  uses: { accounts },
  repositories: { notifications: notificationRepository },
  ports: { mail },
}
type Ctx = Context<typeof parts.uses, typeof parts.repositories, typeof parts.ports>

/** Undefined for a user who was erased: there is nobody to write to. */
const contactOf = async (userId: string, { uses }: Ctx) => {
  try {
    return await uses.accounts.contact({ userId })
  } catch (error) {
    if (error instanceof ServalError && error.code === NoSuchUser.code) return undefined
    throw error
  }
}

/**
 * Sends a mail and records it. When the record is lost after the mail was sent, the mail goes out again under the same
 * Message-ID, so that the other side can drop it.
 */
const notify = async (message: Message, userId: string, occasion: Occasion, context: Ctx) => {
  const contact = await contactOf(userId, context)
  if (contact === undefined) return
  const { subject, text } = render(occasion, contact.name)
  const messageId = `<${message.id}@shop.test>`
  await context.ports.mail.send({ messageId, to: contact.email, subject, text }, context.signal)
  const { kind, orderId } = occasion
  await context.step((s) =>
    s.notifications.add(userId, { id: message.id, kind, subject, sentAt: s.env.now(), orderId }),
  )
}

const view = ({ sentAt, ...rest }: SentNotification) => ({ ...rest, sentAt: rfc3339(sentAt) })

/** Tells customers by mail what became of their orders. */
export const notificationsService = service(notifications, {
  ...parts,
  operations: {
    async list({ limit, cursor }, { caller, read }) {
      if (caller.kind !== 'user') throw failure('forbidden', 'Only users have notifications')
      const after = cursor === undefined ? undefined : pages.decode(cursor)
      // One more than asked for tells whether there is more.
      const found = await read((r) => r.notifications.list(caller.id, { limit: limit + 1, after }))
      const items = found.slice(0, limit)
      const last = items.at(-1)
      if (found.length <= limit || last === undefined) return { items: items.map(view) }
      return { items: items.map(view), next: pages.encode({ at: last.sentAt, id: last.id }) }
    },
    async audit(_, { read, ports }) {
      const counts = await read((r) => r.notifications.counts())
      const sent = kinds.map((kind) => ({ kind, notifications: counts.get(kind) ?? 0 }))
      const held = ports.mail.mailbox?.count()
      return held === undefined ? { sent } : { sent, mailbox: held }
    },
    async mails({ limit, to }, { ports }) {
      return { items: [...(ports.mail.mailbox?.newest({ limit, to }) ?? [])] }
    },
  },
  subscriptions: (on) => [
    on(orders.events.confirmed, (message, context) => {
      const { customerId, orderId, total } = message.data
      return notify(message, customerId, { kind: 'order-confirmed', orderId, total }, context)
    }),
    on(orders.events.cancelled, (message, context) => {
      const { customerId, orderId, total, reason, refunded } = message.data
      const occasion = { kind: 'order-cancelled', orderId, total, reason, refunded } as const
      return notify(message, customerId, occasion, context)
    }),
  ],
})
