import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { httpRefusals, statusOf } from '../edge/problems.ts'
import { asFailure, failure, failures, isUnavailability, ServalError } from './failure.ts'

const page = readFileSync(new URL('../../../docs/errors.md', import.meta.url), 'utf8')

/** The rows of the first table after a heading: code and status, and whether a cause and a fix are given. */
const rowsUnder = (heading: string) => {
  const section = page.split(/^## /m).find((part) => part.startsWith(heading)) ?? ''
  return [...section.matchAll(/^\| `([^`]+)` \| (\d+) \| (.*) \| (.*) \|$/gm)].map(
    ([, code, status, cause, fix]) => {
      expect(`${cause?.at(-1)}${fix?.at(-1)}`).toBe('..')
      return { code, status: Number(status) }
    },
  )
}

test('docs/errors.md explains each failure of the toolkit, and no other', () => {
  const declared = Object.entries(failures).map(([code, { kind }]) => ({
    code,
    status: statusOf[kind],
  }))
  expect(rowsUnder('Failures of the toolkit')).toEqual(declared)
})

test('docs/errors.md explains each refusal of the edge, and no other', () => {
  const declared = Object.entries(httpRefusals).map(([status, [code]]) => ({
    code,
    status: Number(status),
  }))
  expect(rowsUnder('Refusals by the edge')).toEqual(declared)
})

test('a failure carries its code, kind and what a caller may conclude', () => {
  const cause = new Error('ECONNREFUSED')
  const error = failure('unavailable', 'inventory is away', {
    cause,
    ran: 'unknown',
    data: { after: 3 },
  })
  expect(error).toBeInstanceOf(Error)
  expect(error.cause).toBe(cause)
  expect(JSON.parse(JSON.stringify(error))).toEqual({
    code: 'unavailable',
    kind: 'unavailable',
    title: 'The service cannot be reached now',
    detail: 'inventory is away',
    retryable: true,
    ran: 'unknown',
    data: { after: 3 },
  })
  expect('cause' in failure('forbidden')).toBe(false)
  expect(failure('forbidden').message).toBe(failures.forbidden.title)
})

test('whatever was thrown is a failure: ours is itself, the rest is internal with its cause', () => {
  const ours = failure('conflict')
  expect(asFailure(ours)).toBe(ours)
  for (const thrown of [new TypeError('x'), 'text', undefined, null, 0n])
    expect(asFailure(thrown)).toMatchObject({
      code: 'internal',
      ...(thrown === undefined ? {} : { cause: thrown }),
    })
})

test('only what was missing counts as unavailability', () => {
  const codes = Object.keys(failures) as (keyof typeof failures)[]
  expect(codes.filter((code) => isUnavailability(failure(code)))).toEqual([
    'deadline-exceeded',
    'cancelled',
    'unavailable',
    'overloaded',
    'breaker-open',
    'draining',
    'unknown-outcome',
    'store-unavailable',
  ])
  expect(
    isUnavailability(
      new ServalError('x', { kind: 'internal', title: 'x', retryable: true, ran: 'unknown' }, 'x'),
    ),
  ).toBe(false)
})
