import { repository } from 'serval'
import type { Kind } from './render.ts'

export interface SentNotification {
  /** The id of the message that led to it: sent once a message. */
  readonly id: string
  readonly kind: Kind
  readonly subject: string
  /** Milliseconds since the epoch. */
  readonly sentAt: number
  /** Of a mail about an order. */
  readonly orderId: string | undefined
}

/** A user's notifications are one aggregate. */
export interface NotificationRepository {
  /** Adds it, unless it is there. */
  add(userId: string, notification: SentNotification): Promise<void>
  /** A user's, newest first. */
  list(
    userId: string,
    page: {
      readonly limit: number
      readonly after: { readonly at: number; readonly id: string } | undefined
    },
  ): Promise<readonly SentNotification[]>
  counts(): Promise<ReadonlyMap<Kind, number>>
  /** Deletes at most `limit` of a user's; answers how many. */
  erase(userId: string, limit: number): Promise<number>
}

export const notifications = repository<NotificationRepository>({
  scope: 'aggregate',
  engines: { sql: async () => (await import('./repositories/sql.ts')).notificationsOnSql },
})
