import type { Caller, Client, Env } from 'serval'
import { pglite } from 'serval/engines/pglite'
import { eventually, manualEnv, startTestServices, type TestServices } from 'serval/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { acquirer } from './contract.ts'
import { acquirerService } from './service.ts'

const operator: Caller = { kind: 'operator' }
const amount = { amount: 1_299, currency: 'GBP' }
const time = manualEnv()
let slow = 0
const env: Env = {
  ...time,
  // Waits between retries are long, so that a call with little time is tried once.
  random: () => 0.99,
  sleep: (ms, signal) => {
    if (ms === 3_000) slow += 1
    return time.sleep(ms, signal)
  },
}
const once = { deadlineMs: 10 }
const server = pglite()
let system: TestServices
let client: Client<typeof acquirer>
const audit = () => system.client(acquirer, operator).audit({})

beforeAll(async () => {
  system = await startTestServices({ services: [acquirerService], env, server })
  client = system.client(acquirer, { kind: 'service', name: 'payments' })
})
afterAll(() => system.end())

test('a repeated charge answers the first one', async () => {
  const first = await client.charge({ reference: 'repeat', amount, token: 'tok_ok' })
  expect(await client.charge({ reference: 'repeat', amount, token: 'tok_ok' })).toEqual(first)
  expect(await client.charge({ reference: 'repeat', amount, token: 'tok_declined' })).toEqual(first)
})

test('charges of one reference at once charge it once', async () => {
  const before = await audit()
  const answers = await Promise.all(
    Array.from({ length: 40 }, () =>
      client.charge({ reference: 'at-once', amount, token: 'tok_ok' }),
    ),
  )
  expect(new Set(answers.map((answer) => answer.chargeId)).size).toBe(1)
  expect(await audit()).toMatchObject({ charges: before.charges + 1, doubled: 0 })
})

test('tok_declined and a token that nobody issued are declined, and charge nothing', async () => {
  const before = await audit()
  for (const token of ['tok_declined', 'tok_unheard_of'])
    await expect(client.charge({ reference: 'declined', amount, token })).rejects.toMatchObject({
      code: 'charge-declined',
      retryable: false,
    })
  expect(await audit()).toEqual(before)
  expect(await client.voidCharge({ reference: 'declined' })).toEqual({ refunded: false })
})

test('tok_flaky fails twice per reference, then works', async () => {
  for (const reference of ['flaky-1', 'flaky-2']) {
    const charge = () => client.charge({ reference, amount, token: 'tok_flaky' }, once)
    const down = { code: 'acquirer-down', kind: 'unavailable', retryable: true }
    await expect(charge()).rejects.toMatchObject(down)
    await expect(charge()).rejects.toMatchObject(down)
    expect(await charge()).toEqual(await charge())
  }
})

test('tok_slow answers after three seconds', async () => {
  const before = slow
  let answered = false
  const charge = client.charge({ reference: 'slow', amount, token: 'tok_slow' }).then((answer) => {
    answered = true
    return answer
  })
  await eventually(() => slow > before, 'the wait')
  await time.advance(2_999)
  expect(answered).toBe(false)
  await time.advance(1)
  expect((await charge).chargeId).toEqual(expect.any(String))
})

test('tok_hang never answers: the deadline ends it, and nothing is charged', async () => {
  const before = await audit()
  const charge = client.charge({ reference: 'hang', amount, token: 'tok_hang' })
  const outcome = charge.catch((error: unknown) => error)
  await time.advance(10_000)
  expect(await outcome).toMatchObject({ code: 'deadline-exceeded' })
  expect(await audit()).toEqual(before)
})

test('a void gives back what was charged, also when repeated, and refuses a later charge', async () => {
  const before = await audit()
  await client.charge({ reference: 'void', amount, token: 'tok_ok' })
  expect(await client.voidCharge({ reference: 'void' })).toEqual({ refunded: true, amount })
  expect(await client.voidCharge({ reference: 'void' })).toEqual({ refunded: true, amount })
  await expect(client.charge({ reference: 'void', amount, token: 'tok_ok' })).rejects.toMatchObject(
    { code: 'charge-voided' },
  )
  const after = await audit()
  expect(after).toMatchObject({ charges: before.charges + 1, refunds: before.refunds + 1 })
})

test('a void before the charge leaves a tombstone', async () => {
  const before = await audit()
  expect(await client.voidCharge({ reference: 'tombstone' })).toEqual({ refunded: false })
  await expect(
    client.charge({ reference: 'tombstone', amount, token: 'tok_ok' }),
  ).rejects.toMatchObject({ code: 'charge-voided' })
  expect(await client.voidCharge({ reference: 'tombstone' })).toEqual({ refunded: false })
  expect(await audit()).toEqual(before)
})

test('a void while a slow charge waits refuses that charge', async () => {
  const before = slow
  const charge = client.charge({ reference: 'race', amount, token: 'tok_slow' })
  const outcome = charge.catch((error: unknown) => error)
  await eventually(() => slow > before, 'the wait')
  expect(await client.voidCharge({ reference: 'race' })).toEqual({ refunded: false })
  await time.advance(3_000)
  expect(await outcome).toMatchObject({ code: 'charge-voided' })
})

test('charges and voids of one reference at once move money once each way, or not at all', async () => {
  const before = await audit()
  const charged = await Promise.all(
    Array.from({ length: 30 }, async (_, n) => {
      const reference = `both-ways-${n}`
      const charge = () =>
        client.charge({ reference, amount, token: 'tok_ok' }).then(
          () => true,
          () => false,
        )
      const voided = () => client.voidCharge({ reference }).then(({ refunded }) => refunded)
      const [, , ...refunds] = await Promise.all([charge(), charge(), voided(), voided()])
      expect(new Set(refunds).size).toBe(1)
      return refunds[0]
    }),
  )
  const times = charged.filter(Boolean).length
  expect(await audit()).toMatchObject({
    charges: before.charges + times,
    refunds: before.refunds + times,
    doubled: 0,
  })
})

test('the audit shows a doubled charge: it counts movements of money, not references', async () => {
  const before = await audit()
  await client.charge({ reference: 'doubled', amount, token: 'tok_ok' })
  const database = await server.open('acquirer')
  await database.transaction(async (session) =>
    session.write(
      `insert into movement (reference, kind, amount, currency, at)
       select reference, kind, amount, currency, at from movement where reference = 'doubled'`,
    ),
  )
  const charged = (from: typeof before) =>
    from.charged.find(({ currency }) => currency === 'GBP')?.amount ?? 0
  const after = await audit()
  expect(after.doubled).toBe(1)
  expect(charged(after) - charged(before)).toBe(2 * amount.amount)
})

test('nothing is written of a token, neither to tables nor to the log', async () => {
  const token = 'tok_4111111111111111'
  await client.charge({ reference: 'secret', amount, token }).catch(() => undefined)
  await client.charge({ reference: 'secret', amount, token: 'tok_ok' })
  const database = await server.open('acquirer')
  const stored = await database.read((session) =>
    session.query("select schema_to_xml('acquirer', true, false, '')::text as xml"),
  )
  expect(JSON.stringify(stored)).toContain('secret')
  expect(JSON.stringify(stored)).not.toContain('tok_')
  expect(system.lines.join('\n')).not.toContain('tok_')
})
