import { pageCursor, rfc3339, service } from 'serval'
import { z } from 'zod'
import { adjusted, type AdjustmentRecord } from './adjustment.ts'
import { BelowReserved, inventory, NoSuchStock } from './contract.ts'
import { expireSome } from './expiry.ts'
import {
  adjustmentRepository,
  reservationRepository,
  stockRepository,
  type KeptAdjustment,
} from './repository.ts'
import {
  available,
  committed,
  committing,
  holding,
  mustCover,
  mustStand,
  promising,
  releasing,
  type Reservation,
} from './reservation.ts'

const pages = pageCursor(z.strictObject({ before: z.int().min(1) }))

const adjustmentView = ({ id, sku, delta, reason, at, by }: AdjustmentRecord) => {
  const made = { id, sku, delta, reason, at: rfc3339(at) }
  return by === null ? made : { ...made, by }
}

const pageOf = (found: readonly KeptAdjustment[], limit: number) => {
  const page = found.slice(0, limit)
  const items = page.map(adjustmentView)
  const last = page.at(-1)
  return found.length > limit && last !== undefined
    ? { items, next: pages.encode({ before: last.place }) }
    : { items }
}

/**
 * The work of a step that is on every order's way, and nearly always finds what it expects: it writes at
 * once, in one round trip, under guards. When one of them refuses, the step runs again and looks first.
 */
const guessing = <S, T>(guess: (step: S) => T, look: (step: S) => Promise<T>) => {
  let guessed = false
  return async (step: S): Promise<T> => {
    if (guessed) return look(step)
    guessed = true
    return guess(step)
  }
}

export const inventoryService = service(inventory, {
  repositories: {
    stock: stockRepository,
    reservations: reservationRepository,
    adjustments: adjustmentRepository,
  },
  operations: {
    stock: async ({ sku }, { read }) => {
      const [level] = await read(({ stock }) => stock.levels([sku]))
      if (level === undefined) throw NoSuchStock({ sku })
      return { sku, available: available(level) }
    },
    count: ({ sku, onHand }, { step }) =>
      step(async ({ stock }) => {
        const [level] = await stock.lock([sku])
        const reserved = level?.reserved ?? 0
        if (onHand < reserved) throw BelowReserved({ sku, reserved })
        stock.count({ sku, onHand, reserved })
        return { sku, available: onHand - reserved }
      }),
    adjust: ({ sku, delta, reason }, { caller, step }) =>
      step(async ({ stock, adjustments, env }) => {
        const [before] = await stock.lock([sku])
        const level = adjusted(before, sku, delta)
        const by = caller.kind === 'user' ? caller.id : null
        const adjustment = { id: env.id(), sku, delta, reason, at: env.now(), by }
        stock.count(level)
        adjustments.add(adjustment)
        return { sku, available: available(level), adjustment: adjustmentView(adjustment) }
      }),
    adjustments: async ({ sku, limit, cursor }, { read }) => {
      const before = cursor === undefined ? undefined : pages.decode(cursor).before
      return read(async ({ stock, adjustments }) => {
        const found = await adjustments.list(sku, before, limit + 1)
        if (found.length === 0 && (await stock.levels([sku])).length === 0)
          throw NoSuchStock({ sku })
        return pageOf(found, limit)
      })
    },
    reserve: ({ orderId, lines }, { env, step }) => {
      const wanted = holding(orderId, lines, env.now())
      const answer = ({ expiresAt }: Reservation) => ({ expiresAt: rfc3339(expiresAt) })
      return step(
        guessing(
          ({ stock, reservations }) => {
            reservations.add(wanted)
            stock.reserve(wanted.lines)
            return answer(wanted)
          },
          async ({ stock, reservations }) => {
            const skus = wanted.lines.map(({ sku }) => sku)
            // Asked in one round trip; a repeat needs no stock.
            const [before, levels] = await Promise.all([
              reservations.hold(wanted),
              stock.lock(skus),
            ])
            if (before !== undefined) return answer(mustStand(before, env.now()))
            mustCover(levels, wanted.lines)
            stock.move(wanted.lines, promising)
            return answer(wanted)
          },
        ),
      )
    },
    commit: async ({ orderId }, { env, read, step }) => {
      const found = mustStand(
        await read(({ reservations }) => reservations.find(orderId)),
        env.now(),
      )
      // The lines of a reservation never change; its status is what the guess is about.
      if (committing(found) === undefined) return {}
      return step(
        guessing(
          ({ stock, reservations }) => {
            reservations.settleHeld(orderId, committed.status)
            stock.move(found.lines, committed.move)
            return {}
          },
          async ({ stock, reservations }) => {
            const reservation = mustStand(await reservations.lock(orderId), env.now())
            const transition = committing(reservation)
            if (transition === undefined) return {}
            reservations.settle([orderId], transition.status)
            stock.move(reservation.lines, transition.move)
            return {}
          },
        ),
      )
    },
    release: ({ orderId }, { step }) =>
      step(async ({ stock, reservations, env }) => {
        const tombstone = { orderId, status: 'released', lines: [], expiresAt: env.now() } as const
        const reservation = await reservations.lockOrLeave(tombstone)
        const transition = releasing(reservation)
        if (transition === undefined) return {}
        reservations.settle([orderId], transition.status)
        stock.move(reservation.lines, transition.move)
        return {}
      }),
    provide: ({ counts }, { step }) =>
      step(async ({ stock }) => ({ added: await stock.provide(counts) })),
    audit: (_, { read }) => read(({ stock }) => stock.audit()),
  },
  jobs: (jobs) => [
    jobs.every('expire-reservations', '1m', ({ step }) => step(expireSome)),
    jobs.once('expire-more-reservations', z.null(), (_, { step }) => step(expireSome)),
  ],
})
