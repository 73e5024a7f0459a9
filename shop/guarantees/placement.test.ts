import { beforeAll, expect, test } from 'vitest'
import { shop } from '../shop.ts'
import { play, type Played } from './placement/play.suite.ts'

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
