import { expect, test } from 'vitest'
import { planOf, scaled, withMerged, withSplit } from './plan.ts'

const services = ['a', 'b', 'c']
const edge = { services: [], edge: true } as const
const plan = planOf(services, { edge, all: { services: 'all', edge: false, replicas: 2 } })
const apart = planOf(services, {
  edge,
  a: { services: ['a'], edge: false },
  rest: { services: ['b', 'c'], edge: false },
})

const refused = (work: () => unknown): string => {
  try {
    work()
    return 'not refused'
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

test('a setup without roles is one process that runs everything', () => {
  expect(planOf(services)).toEqual({ all: { services, edge: true, replicas: 1 } })
})

test('a plan that nobody could run is refused, with what is wrong', () => {
  const all = { services: 'all', edge: false } as const
  expect(
    refused(() => planOf(services, { edge, one: { services: ['a', 'x'], edge: false } })),
  ).toMatch(/the role one has services that there are not: x/)
  expect(refused(() => planOf(services, { edge, one: { services: ['a'], edge: false } }))).toMatch(
    /no role runs b, c/,
  )
  expect(refused(() => planOf(services, { all }))).toMatch(/no role has an edge/)
  expect(refused(() => planOf(services, { edge, all: { ...all, replicas: 0 } }))).toMatch(
    /all needs at least one process/,
  )
})

test('a split takes a service from every role that has it, as many processes as there were', () => {
  expect(withSplit(plan, 'b')).toEqual({
    edge: { services: [], edge: true, replicas: 1 },
    all: { services: ['a', 'c'], edge: false, replicas: 2 },
    b: { services: ['b'], edge: false, replicas: 2 },
  })
  expect(refused(() => withSplit(plan, 'x'))).toMatch(/there is no service x; there are a, b, c/)
  expect(refused(() => withSplit(apart, 'a'))).toMatch(/a has processes of its own already/)
})

test('a role is left out when a split takes its last service, but not its edge', () => {
  const narrow = planOf(['a', 'b'], {
    front: { services: ['a'], edge: true },
    twin: { services: ['a'], edge: false },
    b: { services: ['b'], edge: false },
  })
  expect(Object.keys(withSplit(narrow, 'a'))).toEqual(['front', 'b', 'a'])
})

test('a merge gives a service to the role with the most', () => {
  expect(withMerged(apart, 'a')).toEqual({
    edge: { services: [], edge: true, replicas: 1 },
    rest: { services: ['b', 'c', 'a'], edge: false, replicas: 1 },
  })
  expect(refused(() => withMerged(plan, 'a'))).toMatch(/a has no processes of its own/)
  const alone = planOf(['a'], { a: { services: ['a'], edge: true } })
  expect(refused(() => withMerged(alone, 'a'))).toMatch(/there is no other role that could run a/)
})

test('split and merged again, a plan is what it was', () => {
  const again = withMerged(withSplit(plan, 'c'), 'c')
  expect(again).toEqual(plan)
})

test('a role has at least one process, and must be there', () => {
  expect(scaled(plan, 'all', 5)['all']?.replicas).toBe(5)
  expect(refused(() => scaled(plan, 'all', 0))).toMatch(/all needs at least one process/)
  expect(refused(() => scaled(plan, 'toString', 2))).toMatch(
    /there is no role toString; there are edge, all/,
  )
})
