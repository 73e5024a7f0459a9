import { expect } from 'vitest'
import { faultsOf, type Problem } from './faults.ts'
import type { Reply } from './raw-http.ts'

/** The problem document of a reply that must be this failure. */
export const problemOf = (reply: Reply, status: number, code?: string, path?: string): Problem => {
  expect({ status: reply.status, text: reply.text }).toMatchObject({ status })
  expect(faultsOf(reply, path)).toEqual([])
  const problem = reply.json<Problem>()
  if (code !== undefined) expect(problem).toMatchObject({ code })
  return problem
}

/** The pointers of a reply that must refuse its input. */
export const pointersOf = (reply: Reply): readonly string[] =>
  (problemOf(reply, 400, 'invalid-input').errors ?? []).map(({ pointer }) => pointer)
