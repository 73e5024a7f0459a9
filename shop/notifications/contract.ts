import { contract, get, query } from 'serval'
import { z } from 'zod'
import { MailKind } from '../accounts/contract.ts'

export const kinds = ['order-confirmed', 'order-cancelled', ...MailKind.options] as const

export const Notification = z.object({
  id: z.string(),
  kind: z.enum(kinds),
  subject: z.string(),
  sentAt: z.string(),
  orderId: z.string().optional(),
})

export const notifications = contract('notifications', {
  operations: {
    list: query({
      summary: 'What was sent to me, newest first',
      access: 'user',
      http: get('/api/v1/notifications'),
      input: z.object({
        limit: z.int().min(1).max(100).default(20),
        cursor: z.string().max(200).optional(),
      }),
      output: z.object({ items: z.array(Notification), next: z.string().optional() }),
    }),
    audit: query({
      summary: 'Mails sent per kind, and what the embedded mailbox holds',
      access: 'operator',
      http: get('/operator/v1/notifications'),
      input: z.object({}),
      output: z.object({
        sent: z.array(z.object({ kind: z.enum(kinds), notifications: z.int() })),
        /** Absent when mail goes to a real server. */
        mailbox: z.object({ mails: z.int(), repeats: z.int() }).optional(),
      }),
    }),
    mails: query({
      summary: 'The newest mails in the embedded mailbox',
      access: 'operator',
      http: get('/operator/v1/mails'),
      input: z.object({
        limit: z.int().min(1).max(100).default(20),
        to: z.string().max(254).optional(),
      }),
      output: z.object({
        items: z.array(
          z.object({
            messageId: z.string(),
            to: z.string(),
            subject: z.string(),
            text: z.string(),
            at: z.string(),
            repeats: z.int(),
          }),
        ),
      }),
    }),
  },
})
