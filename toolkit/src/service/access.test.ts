import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { contract, query, type Access } from '../contract/index.ts'
import { memoryStores } from '../engines/memory/index.ts'
import type { Caller } from '../link/call.ts'
import { startTestServices, type TestServices } from '../testing/index.ts'
import { service } from './index.ts'

/* The whole table: each kind of access × each kind of caller, asked of the service itself, without an edge. */

const ask = (access: Access) =>
  query({ summary: access, access, input: z.object({}), output: z.object({}) })
const guarded = contract('guarded', {
  operations: {
    public: ask('public'),
    user: ask('user'),
    merchant: ask('role:merchant'),
    operator: ask('operator'),
    internal: ask('internal'),
  },
})
const answer = async () => ({})
const guardedService = service(guarded, {
  operations: {
    public: answer,
    user: answer,
    merchant: answer,
    operator: answer,
    internal: answer,
  },
})

const user = (roles: readonly string[]): Caller => ({ kind: 'user', id: 'u', roles, session: 's' })
const callers = {
  anonymous: { kind: 'anonymous' },
  user: user([]),
  merchant: user(['merchant']),
  admin: user(['admin']),
  operator: { kind: 'operator' },
  service: { kind: 'service', name: 'other' },
} as const satisfies Record<string, Caller>

const [ok, who, no] = ['ok', 'unauthenticated', 'forbidden']
const table = {
  public: { anonymous: ok, user: ok, merchant: ok, admin: ok, operator: ok, service: ok },
  user: { anonymous: who, user: ok, merchant: ok, admin: ok, operator: who, service: ok },
  merchant: { anonymous: who, user: no, merchant: ok, admin: no, operator: who, service: ok },
  operator: { anonymous: no, user: no, merchant: no, admin: no, operator: ok, service: no },
  internal: { anonymous: no, user: no, merchant: no, admin: no, operator: no, service: ok },
} as const

let system: TestServices
beforeAll(async () => {
  system = await startTestServices({ services: [guardedService], stores: memoryStores() })
})
afterAll(() => system.end())

const names = Object.keys(callers) as (keyof typeof callers)[]
test.each(Object.keys(table) as (keyof typeof table)[])(
  'an operation for %s answers those that it is for',
  async (operation) => {
    for (const name of names) {
      const found = await system
        .client(guarded, callers[name])
        [operation]({})
        .then(
          () => 'ok',
          (error: { code: string }) => error.code,
        )
      expect(found, `${operation} asked by ${name}`).toBe(table[operation][name])
    }
  },
)
