import type { Caller, Contract } from 'serval'
import { mailbox } from 'serval/engines/mailbox'
import { pglite } from 'serval/engines/pglite'
import { beforeAll, expect, test } from 'vitest'
import { shop } from '../shop.ts'
import { lostReplies, losingOnly, outcome, recordedCalls } from './placement/disturbed.suite.ts'
import { onceOnly } from './placement/once-only.suite.ts'
import { play, type Played } from './placement/play.suite.ts'
import { startShop, type World } from './shop-in-test.suite.ts'

/*
 * One script of calls, of every operation of every contract by those who may and who may not, is played to the shop in one host, and with each service in
 * a host of its own. What callers are told, and what is stored at the end, is the same.
 */

let together: Played
beforeAll(async () => {
  together = await play('together')
}, 60_000)

const operations = shop.services.flatMap(({ contract }) =>
  Object.entries(contract.operations).map(([name, operation]) => ({
    target: `${contract.name}.${name}`,
    operation,
  })),
)

test('the script has every operation of every contract answered', () => {
  const answered = new Set(
    together.heard
      .filter(({ code }) => code === undefined)
      .map(({ contract, operation }) => `${contract}.${operation}`),
  )
  expect(operations.map(({ target }) => target).filter((target) => !answered.has(target))).toEqual(
    [],
  )
})

test('the script provokes every problem that a contract declares', () => {
  const provoked = new Set(
    together.heard.map(({ contract, operation, code }) => `${contract}.${operation}: ${code}`),
  )
  const declared = operations.flatMap(({ target, operation }) =>
    operation.problems.map(({ code }) => `${target}: ${code}`),
  )
  expect(declared.filter((problem) => !provoked.has(problem))).toEqual([])
})

test.each(['http', 'wire'] as const)(
  'with each service in a host of its own, linked over %s, every call has the same replies, problems and effects',
  async (linked) => {
    const apart = await play({ linked })
    expect(apart.transcript).toEqual(together.transcript)
    expect(apart.effects).toEqual(together.effects)
  },
  60_000,
)

test('with every message delivered twice, every call has the same replies and effects', async () => {
  const disturbed = await play({ linked: 'direct', twice: true })
  expect(disturbed.transcript.join()).toMatch(/"repeats":[1-9]/)
  expect(outcome(disturbed)).toEqual(outcome(together))
}, 60_000)

/** Several minutes: direct, http or wire. */
const each = (['direct', 'http', 'wire'] as const).find(
  (linked) => linked === process.env['SERVAL_TEST_EACH_REPLY'],
)
const parts = lostReplies.map((loses, n) => [n + 1, loses] as const)

test.each(each === undefined ? parts.slice(0, 1) : parts)(
  'with one reply in three lost, of the calls that may be repeated, every call has the same replies and effects (part %i of 3)',
  async (_, loses) => {
    let lost = 0
    const counted = (call: Parameters<typeof loses>[0]) => {
      const loss = loses(call)
      if (loss) lost += 1
      return loss
    }
    const disturbed = await play({ linked: 'direct', loses: counted })
    expect(lost).toBeGreaterThan(30)
    expect(outcome(disturbed)).toEqual(outcome(together))
  },
  60_000,
)

test('a lost reply of a command that may not be repeated is told as unknown, and the command ran once', async () => {
  const may = operations.filter(({ operation }) => operation.repeat === 'never')
  expect(onceOnly.map(([{ name }, operation]) => `${name}.${operation}`).toSorted()).toEqual(
    may.map(({ target }) => target).toSorted(),
  )
  const answered: string[] = []
  const loses = (call: { readonly caller: Caller; readonly target: string }) => {
    if (call.caller.kind === 'service') return false
    answered.push(call.target)
    return true
  }
  const world: World = { server: pglite({}), mail: mailbox({}) }
  const running = await startShop(world, undefined, undefined, { linked: 'direct', loses })
  for (const [contract, operation, caller, input] of onceOnly) {
    const call = running.client<Contract>(contract, caller)[operation]?.(input)
    await expect(Promise.resolve(call)).rejects.toMatchObject({
      code: 'unknown-outcome',
      ran: 'unknown',
    })
  }
  expect(answered).toEqual(onceOnly.map(([{ name }, operation]) => `${name}.${operation}`))
  await running.end()
}, 60_000)

if (each !== undefined)
  test('with each reply lost by itself, of the calls that may be repeated, every call has the same replies and effects', async () => {
    const recorded = await recordedCalls(each)
    let lost = 0
    for (const { from, n } of recorded) {
      const { loses, done } = losingOnly({ from, n })
      const disturbed = await play({ linked: each, loses })
      if (done()) lost += 1
      expect(outcome(disturbed), `${from} (${n})`).toEqual(outcome(together))
    }
    console.info(`${lost} of ${recorded.length} replies were lost`)
  }, 3_600_000)
