import { expect, test } from 'vitest'
import { z } from 'zod'
import { systemEnv } from '../base/env.ts'
import { command } from '../contract/index.ts'
import type { Call } from '../link/call.ts'
import type { RememberedReply } from '../store/store.ts'
import { remembering } from './remembering.ts'

const place = command({
  summary: 'Places an order',
  access: 'public',
  repeat: 'key',
  input: z.unknown(),
  output: z.undefined(),
})
const call: Call = {
  contract: 'orders',
  operation: 'place',
  target: 'orders.place',
  input: undefined,
  caller: { kind: 'anonymous' },
  key: 'k',
  deadline: 0,
  signal: new AbortController().signal,
  trace: { correlationId: 'c' },
  strict: true,
  repeatable: true,
}
const under = (input: unknown, stored?: RememberedReply) => {
  const replies = { recall: () => Promise.resolve(stored), prune: () => Promise.resolve(0) }
  return remembering(place, call, input, replies, systemEnv())
}

test('an input is known by the SHA-256 of its sorted JSON, also to replies of earlier versions', async () => {
  const memory = await under({ b: 'ü', a: [1, null, { d: 1, c: undefined }] })
  const stored = memory.reply(undefined)
  // printf '{"a":[1,null,{"d":1}],"b":"ü"}' | sha256sum
  expect(stored.inputHash).toBe('509e088d18834872c271e44d90b5ba9f615c77760a961c3d0f1dc99c424db682')
  const same = await under({ a: [1, null, { d: 1 }], b: 'ü' }, stored)
  expect(await same.recall()).toBe(stored)
  const other = await under({ a: [1, null, { d: 2 }], b: 'ü' }, stored)
  await expect(other.recall()).rejects.toMatchObject({ code: 'idempotency-key-reused' })
})
