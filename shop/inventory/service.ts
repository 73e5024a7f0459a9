import { rfc3339, service } from 'serval'
import { z } from 'zod'
import { BelowReserved, inventory, NoSuchStock } from './contract.ts'
import { expireSome } from './expiry.ts'
import { reservationRepository, stockRepository } from './repository.ts'
import { available, committing, holding, mustCover, mustStand, releasing } from './reservation.ts'

export const inventoryService = service(inventory, {
  repositories: { stock: stockRepository, reservations: reservationRepository },
  operations: {
    stock: async ({ sku }, { read }) => {
      const level = await read(({ stock }) => stock.find(sku))
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
    reserve: ({ orderId, lines }, { step }) =>
      step(async ({ stock, reservations, env }) => {
        const wanted = holding(orderId, lines, env.now())
        const skus = wanted.lines.map(({ sku }) => sku)
        // Asked in one round trip; a repeat, which needs no stock, is rare.
        const [before, levels] = await Promise.all([reservations.hold(wanted), stock.lock(skus)])
        if (before !== undefined)
          return { expiresAt: rfc3339(mustStand(before, env.now()).expiresAt) }
        mustCover(levels, wanted.lines)
        stock.reserve(wanted.lines)
        return { expiresAt: rfc3339(wanted.expiresAt) }
      }),
    commit: ({ orderId }, { step }) =>
      step(async ({ stock, reservations, env }) => {
        const reservation = mustStand(await reservations.lock(orderId), env.now())
        const transition = committing(reservation)
        if (transition === undefined) return {}
        reservations.settle([orderId], transition.status)
        stock.move(reservation.lines, transition.move)
        return {}
      }),
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
