import { expect, test } from 'vitest'
import { seal, unseal } from './seal.ts'

const secret = new Uint8Array(32).fill(7)
const nonce = new Uint8Array(12).fill(1)

test('a sealed token opens for its own order and secret only', async () => {
  const sealed = await seal('tok_ok', 'order-1', secret, nonce)
  expect(new TextDecoder().decode(sealed)).not.toContain('tok_ok')
  expect(await unseal(sealed, 'order-1', secret)).toBe('tok_ok')
  for (const attempt of [
    () => unseal(sealed, 'order-2', secret),
    () => unseal(sealed, 'order-1', new Uint8Array(32).fill(8)),
    () => unseal(sealed.with(20, (sealed[20] ?? 0) ^ 1), 'order-1', secret),
  ]) {
    const failed = await attempt().catch((error: unknown) => error)
    expect(failed).toBeInstanceOf(Error)
  }
})
