import { failure, service, type Caller, type Client } from 'serval'
import { pglite } from 'serval/engines/pglite'
import { startTestServices, type TestServices } from 'serval/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { acquirer, AcquirerDown, ChargeDeclined, ChargeVoided } from '../acquirer/contract.ts'
import type { Money } from '../money.ts'
import { payments } from './contract.ts'
import { paymentsService } from './service.ts'

/*
 * A capture reads its row (R), charges (C) and records (S); a refund voids (V) and records (W). Each of these is atomic, so
 * that every run of both is one of the ten ways to merge R C S with V W. The acquirer here stops before and after its
 * effect for whoever holds it there, so that each way can be walked through.
 */

type Point = 'before' | 'after'
type Bank = 'approves' | 'declines' | 'charges-and-is-lost' | 'is-lost'

interface Account {
  charged: number
  refunded: number
  voided: boolean
  amount: Money | undefined
}

const accounts = new Map<string, Account>()
const account = (reference: string): Account => {
  const found = accounts.get(reference) ?? {
    charged: 0,
    refunded: 0,
    voided: false,
    amount: undefined,
  }
  accounts.set(reference, found)
  return found
}

/** A place where a call stops until it is let go. */
const gate = () => {
  let reach: () => void = () => undefined
  let release: () => void = () => undefined
  const reached = new Promise<void>((resolve) => (reach = resolve))
  const released = new Promise<void>((resolve) => (release = resolve))
  return { reached, release, pass: () => (reach(), released) }
}
type Gate = ReturnType<typeof gate>

/** Gates by token (charges) or reference (voids). */
const gates = new Map<string, Gate>()
const hold = (id: string, point: Point): Gate => {
  const made = gate()
  gates.set(`${id} ${point}`, made)
  return made
}
const stop = (id: string, point: Point) => gates.get(`${id} ${point}`)?.pass()

const bankService = service(acquirer, {
  operations: {
    async charge({ reference, amount, token }) {
      await stop(token, 'before')
      const bank = token.split('/')[0] as Bank
      const kept = account(reference)
      const outcome = (() => {
        if (kept.voided) return ChargeVoided(undefined)
        if (bank === 'declines' && kept.charged === 0) return ChargeDeclined(undefined)
        if (bank === 'is-lost') return failure('internal', 'lost before the charge')
        if (kept.charged === 0) {
          kept.charged = 1
          kept.amount = amount
        }
        return bank === 'charges-and-is-lost' ? failure('internal', 'lost after it') : undefined
      })()
      await stop(token, 'after')
      if (outcome !== undefined) throw outcome
      return { chargeId: `charge-${reference}` }
    },
    async voidCharge({ reference }) {
      const kept = account(reference)
      if (kept.charged > 0 && !kept.voided) kept.refunded += 1
      kept.voided = true
      await stop(reference, 'after')
      const amount = kept.amount === undefined ? {} : { amount: kept.amount }
      return { refunded: kept.refunded > 0, ...amount }
    },
    audit: () => Promise.resolve({ charges: 0, charged: [], refunds: 0, doubled: 0 }),
  },
})

const orders: Caller = { kind: 'service', name: 'orders' }
const amount = { amount: 2_500, currency: 'GBP' }
const server = pglite()
let system: TestServices
let client: Client<typeof payments>
const audit = () => system.client(payments, { kind: 'operator' }).audit({})

beforeAll(async () => {
  system = await startTestServices({ services: [paymentsService, bankService], server })
  client = system.client(payments, orders)
})
afterAll(() => system.end())

type Outcome = { readonly reference: string } | { readonly code: string }
const outcomeOf = (call: Promise<{ reference: string }>): Promise<Outcome> =>
  call.catch((error: { code: string }) => ({ code: error.code }))

/** The stages of a capture, to be run one at a time. */
const captureStages = (orderId: string, token: string) => {
  const [before, after] = [hold(token, 'before'), hold(token, 'after')]
  let call: Promise<Outcome>
  return {
    read: () => {
      call = outcomeOf(client.capture({ orderId, amount, token }))
      return Promise.race([before.reached, call])
    },
    charge: () => {
      before.release()
      return Promise.race([after.reached, call])
    },
    record: () => {
      after.release()
      return call
    },
    outcome: () => call,
  }
}

const refundStages = (orderId: string) => {
  const after = hold(orderId, 'after')
  let call: Promise<{ refunded: boolean }>
  return {
    void: () => {
      call = client.refund({ orderId })
      return Promise.race([after.reached, call])
    },
    record: () => {
      after.release()
      return call
    },
    outcome: () => call,
  }
}

/** Every way to merge two sequences, each in its own order. */
const merges = <T>(a: readonly T[], b: readonly T[]): T[][] => {
  const [first, ...restA] = a
  const [second, ...restB] = b
  if (first === undefined) return [[...b]]
  if (second === undefined) return [[...a]]
  return [
    ...merges(restA, b).map((rest) => [first, ...rest]),
    ...merges(a, restB).map((rest) => [second, ...rest]),
  ]
}

const refused = { code: 'payment-refused' }
const declined = { code: 'payment-declined' }
const open = { code: 'internal' }

describe('a capture and a refund, in each of their ten orders', () => {
  const orders = merges(['R', 'C', 'S'], ['V', 'W'])
  const banks: readonly Bank[] = ['approves', 'declines', 'charges-and-is-lost', 'is-lost']
  for (const bank of banks)
    for (const order of orders)
      test(`${bank}: ${order.join(' ')}`, async () => {
        const before = await audit()
        const id = `${bank}-${order.join('')}`
        const [capture, refund] = [captureStages(id, `${bank}/${id}`), refundStages(id)]
        const stages: Record<string, () => Promise<unknown>> = {
          R: capture.read,
          C: capture.charge,
          S: capture.record,
          V: refund.void,
          W: refund.record,
        }
        for (const stage of order) await stages[stage]?.()

        const at = (stage: string) => order.indexOf(stage)
        const reached = at('R') < at('W') && at('C') < at('V')
        const expected = (): Outcome => {
          if (!reached) return refused
          if (bank === 'declines') return at('S') < at('W') ? declined : refused
          if (bank !== 'approves') return open
          return at('S') < at('W') ? { reference: `charge-${id}` } : refused
        }
        expect(await capture.outcome()).toEqual(expected())

        const charged = reached && (bank === 'approves' || bank === 'charges-and-is-lost')
        expect(await refund.outcome()).toEqual({ refunded: charged })
        expect(account(id)).toMatchObject({ charged: charged ? 1 : 0, refunded: charged ? 1 : 0 })

        // Whatever happened, both repeat themselves for ever, and no money is kept.
        expect(
          await outcomeOf(client.capture({ orderId: id, amount, token: 'approves/late' })),
        ).toEqual(refused)
        expect(await client.refund({ orderId: id })).toEqual({ refunded: charged })
        expect(account(id)).toMatchObject({ charged: charged ? 1 : 0, refunded: charged ? 1 : 0 })
        const after = await audit()
        expect(after.captured).toEqual(before.captured)
        expect(after.refunded.payments).toBe(before.refunded.payments + (charged ? 1 : 0))
        expect(sum(after.refunded.amounts) - sum(before.refunded.amounts)).toBe(
          charged ? amount.amount : 0,
        )
      })
})

const sum = (amounts: readonly Money[]) => amounts.reduce((total, each) => total + each.amount, 0)

describe('two captures of one order, in each of their twenty orders', () => {
  const orders = merges(['R1', 'C1', 'S1'], ['R2', 'C2', 'S2'])
  for (const [first, second] of [
    ['approves', 'approves'],
    ['declines', 'approves'],
    ['charges-and-is-lost', 'approves'],
    ['declines', 'declines'],
  ] as const)
    for (const order of orders)
      test(`${first}, ${second}: ${order.join(' ')}`, async () => {
        const id = `${first}-${second}-${order.join('')}`
        const one = captureStages(id, `${first}/${id}/1`)
        const two = captureStages(id, `${second}/${id}/2`)
        const stages: Record<string, () => Promise<unknown>> = {
          R1: one.read,
          C1: one.charge,
          S1: one.record,
          R2: two.read,
          C2: two.charge,
          S2: two.record,
        }
        for (const stage of order) await stages[stage]?.()
        const outcomes = [await one.outcome(), await two.outcome()]
        const { charged } = account(id)
        const captured = { reference: `charge-${id}` }
        expect(charged).toBeLessThanOrEqual(1)
        // Money that was taken outweighs a decline, once both have recorded what they know.
        const repeat = await outcomeOf(client.capture({ orderId: id, amount, token: 'is-lost/x' }))
        expect(repeat).toEqual(charged === 1 ? captured : declined)
        if (charged === 0) expect(outcomes).toEqual([declined, declined])
        else expect(outcomes).toContainEqual(captured)
        expect(await client.refund({ orderId: id })).toEqual({ refunded: charged === 1 })
        expect(account(id)).toMatchObject({ charged, refunded: charged })
      })
})

test('a charge beside a recorded decline, not recorded itself, is given back with its amount', async () => {
  const before = await audit()
  const [one, two] = [captureStages('beside', 'declines/b'), captureStages('beside', 'approves/b')]
  for (const stage of [one.read, two.read, one.charge, two.charge, one.record]) await stage()
  expect(await client.refund({ orderId: 'beside' })).toEqual({ refunded: true })
  expect(await two.record()).toEqual(refused)
  expect(account('beside')).toMatchObject({ charged: 1, refunded: 1 })
  const after = await audit()
  expect(sum(after.refunded.amounts) - sum(before.refunded.amounts)).toBe(amount.amount)
})

test('a capture charges once, and its repeat answers the same without asking again', async () => {
  const captured = await client.capture({ orderId: 'once', amount, token: 'approves/once' })
  expect(await client.capture({ orderId: 'once', amount, token: 'is-lost/once' })).toEqual(captured)
})

test('a decline is remembered', async () => {
  const capture = (token: string) => client.capture({ orderId: 'no', amount, token })
  await expect(capture('declines/no')).rejects.toMatchObject(declined)
  await expect(capture('approves/no')).rejects.toMatchObject(declined)
  expect(account('no').charged).toBe(0)
})

test('a capture whose answer was lost after the charge is completed by its repeat', async () => {
  const capture = (token: string) => client.capture({ orderId: 'lost', amount, token })
  await expect(capture('charges-and-is-lost/1')).rejects.toMatchObject(open)
  expect(await capture('approves/2')).toEqual({ reference: 'charge-lost' })
  expect(account('lost').charged).toBe(1)
})

test('the acquirer’s absence is passed on as it is, and leaves the payment open', async () => {
  const down = service(acquirer, {
    operations: {
      charge: ({ token }) =>
        Promise.reject(
          token === 'late' ? failure('deadline-exceeded', 'too late') : AcquirerDown(undefined),
        ),
      voidCharge: () => Promise.reject(AcquirerDown(undefined)),
      audit: () => Promise.resolve({ charges: 0, charged: [], refunds: 0, doubled: 0 }),
    },
  })
  const away = await startTestServices({ services: [paymentsService, down] })
  const calls = away.client(payments, orders)
  const capture = (token: string) => calls.capture({ orderId: 'down', amount, token })
  const unavailable = { code: 'acquirer-down', kind: 'unavailable', retryable: true }
  await expect(capture('down')).rejects.toMatchObject(unavailable)
  await expect(capture('late')).rejects.toMatchObject({ code: 'deadline-exceeded', ran: 'unknown' })
  await expect(calls.refund({ orderId: 'down' })).rejects.toMatchObject(unavailable)
  expect(await away.client(payments, { kind: 'operator' }).audit({})).toEqual({
    captured: { payments: 0, amounts: [] },
    refunded: { payments: 0, amounts: [] },
  })
  await away.end()
})

test('the audit sums by currency', async () => {
  const before = await audit()
  const yen = { amount: 900, currency: 'JPY' }
  for (const n of [1, 2, 3])
    await client.capture({ orderId: `yen-${n}`, amount: yen, token: 'approves/yen' })
  await client.refund({ orderId: 'yen-3' })
  const after = await audit()
  expect(after.captured.payments).toBe(before.captured.payments + 2)
  expect(after.captured.amounts).toContainEqual({ amount: 1_800, currency: 'JPY' })
  expect(after.refunded.amounts).toContainEqual({ amount: 900, currency: 'JPY' })
})

test('nothing is written of a token, neither to tables nor to the log', async () => {
  const database = await server.open('payments')
  const stored = await database.read((session) =>
    session.query("select schema_to_xml('payments', true, false, '')::text as xml"),
  )
  expect(JSON.stringify(stored)).toContain('approves-RCSVW')
  expect(JSON.stringify(stored)).not.toContain('approves/')
  expect(system.lines.join('\n')).not.toContain('approves/')
})
