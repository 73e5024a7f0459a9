import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { killAll, startShop } from '../../../../acceptance/shop-process.ts'
import { eventually } from '../../testing/eventually.ts'

const program = fileURLToPath(new URL('../main.ts', import.meta.url))
const place = mkdtempSync(join(tmpdir(), 'serval-shop-backup-'))
const data = join(place, 'data')
const archive = join(place, 'shop.tar.gz')
afterAll(async () => {
  await killAll()
  rmSync(place, { recursive: true, force: true })
})

const serval = (...args: string[]) =>
  spawnSync(process.execPath, [program, ...args, '--data', data], { encoding: 'utf8' })

const ask = async (url: string, token?: string, body?: object) => {
  const reply = await fetch(url, {
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined
        ? {}
        : { 'content-type': 'application/json', 'idempotency-key': 'backup-test' }),
    },
    ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
  })
  expect(reply.status).toBeLessThan(300)
  return (await reply.json()) as Record<string, unknown>
}

test('a shop that was backed up, lost and restored has its orders, its mails and its keys', async () => {
  const shop = await startShop({ data })
  const { accessToken } = await ask(`${shop.address}/api/v1/auth/login`, undefined, {
    email: 'customer@shop.test',
    password: 'serval-demo',
  })
  const token = String(accessToken)
  const placed = await ask(`${shop.address}/api/v1/orders`, token, {
    lines: [{ sku: 'KIT-0001', quantity: 2 }],
    payment: { token: 'tok_ok' },
  })
  const states = async (address: string) => ({
    order: await ask(`${address}/api/v1/orders/${String(placed['id'])}`, token),
    mails: (await ask(`${address}/api/v1/notifications`, token))['items'],
  })
  const before = await eventually(async () => {
    const seen = await states(shop.address)
    return seen.order['status'] === 'confirmed' && (seen.mails as []).length > 0 ? seen : undefined
  }, 'the order is confirmed and a mail is sent')

  const refused = serval('backup', archive)
  expect(refused).toMatchObject({ status: 1, stdout: '' })
  expect(refused.stderr).toMatch(/is running \(process \d+\): stop it first/)
  expect((await shop.stop()).code).toBe(0)

  expect(serval('backup', archive)).toMatchObject({ status: 0, stderr: '' })
  rmSync(data, { recursive: true })
  expect(serval('restore', archive)).toMatchObject({ status: 0, stderr: '' })

  const again = await startShop({ data })
  // The token was signed before: the keys, sealed with the secret, are back too.
  expect(await states(again.address)).toEqual(before)
  expect((await again.stop()).code).toBe(0)
}, 120_000)
