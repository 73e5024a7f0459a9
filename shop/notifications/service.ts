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
import { accounts, NothingToSend, NoSuchUser } from '../accounts/contract.ts'
import { orders } from '../orders/contract.ts'
import { kinds, notifications } from './contract.ts'
import { mail } from './mail.ts'
import { renderAccount } from './render-account.ts'
import { render, type Kind, type Occasion, type Rendered } from './render.ts'
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

/** Undefined for what there is no more: somebody who was erased, a link that was used before its mail was sent. */
const unless = async <T>(asked: Promise<T>, code: string): Promise<T | undefined> => {
  try {
    return await asked
  } catch (error) {
    if (error instanceof ServalError && error.code === code) return undefined
    throw error
  }
}

/**
 * Sends a mail and records it. When the record is lost after the mail was sent, the mail goes out again under the same
 * Message-ID, so that the other side can drop it.
 */
const send = async (
  message: Message,
  { userId, to }: { readonly userId: string; readonly to: string },
  { kind, subject, text, orderId }: Rendered & { readonly kind: Kind; readonly orderId?: string },
  { ports, signal, step }: Ctx,
) => {
  const messageId = `<${message.id}@shop.test>`
  await ports.mail.send({ messageId, to, subject, text }, signal)
  await step((s) =>
    s.notifications.add(userId, { id: message.id, kind, subject, sentAt: s.env.now(), orderId }),
  )
}

const notify = async (message: Message, userId: string, occasion: Occasion, context: Ctx) => {
  const contact = await unless(context.uses.accounts.contact({ userId }), NoSuchUser.code)
  if (contact === undefined) return
  const { kind, orderId } = occasion
  const mail = { ...render(occasion), kind, orderId }
  await send(message, { userId, to: contact.email }, mail, context)
}

const eraseAtOnce = 1_000
/** Longer than the handler of a message may take: what was being sent when its reader was erased is recorded by then. */
const eraseAgainMs = 5 * 60_000
const Erasure = z.object({ userId: z.string() })

const view = ({ sentAt, ...rest }: SentNotification) => ({ ...rest, sentAt: rfc3339(sentAt) })

/** Tells people by mail what became of their orders, and what concerns their accounts. */
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
    on(accounts.events.mailRequested, async (message, context) => {
      const { requestId, userId, kind } = message.data
      const wanted = context.uses.accounts.mail({ requestId })
      const found = await unless(wanted, NothingToSend.code)
      if (found === undefined) return
      const mail = { ...renderAccount({ kind, link: found.link }), kind }
      await send(message, { userId, to: found.email }, mail, context)
    }),
    on(accounts.events.userErased, ({ data }, { step }) =>
      step(async (s) => {
        const now = s.env.now()
        s.schedule('erase', { key: data.userId, at: now, data })
        s.schedule('erase', { key: `${data.userId} again`, at: now + eraseAgainMs, data })
      }),
    ),
  ],
  jobs: (jobs) => [
    jobs.once('erase', Erasure, ({ userId }, { step }) =>
      step(async (s) => {
        const erased = await s.notifications.erase(userId, eraseAtOnce)
        if (erased < eraseAtOnce) return
        s.schedule('erase', { key: s.env.id(), at: s.env.now(), data: { userId } })
      }),
    ),
  ],
})
