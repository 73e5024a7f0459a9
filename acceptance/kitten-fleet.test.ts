import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { z } from 'zod'
import { fleetIn } from './changes/fleet.ts'
import { givenPlace } from './given-place.ts'
import { killAll, startShop } from './shop-process.ts'
import { until } from './until.ts'
import { openWorld, type Order } from './world.ts'

/* Embedded stores, used by several processes: what is promised is that nothing is lost. */

const data = mkdtempSync(join(tmpdir(), 'serval-kittens-'))
const alive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
/** Hosts outlive a supervisor that is killed. */
let hosts: readonly { readonly pid: number }[] = []
afterAll(async () => {
  await killAll()
  for (const { pid } of hosts) if (alive(pid)) process.kill(pid, 'SIGKILL')
  rmSync(data, { recursive: true, force: true })
})

const title = 'a kitten that is split, and whose lending process is killed, loses no order'
const skipped = givenPlace() !== undefined
const why = skipped ? ' [skipped: the shop at SERVAL_ACCEPTANCE_URL is tested]' : ''
test.skipIf(skipped)(
  `${title}${why}`,
  async () => {
    const many = await startShop({
      data,
      main: 'toolkit/src/cli/main.ts',
      command: 'up',
      setup: 'kitten',
    })
    const fleet = fleetIn(data)
    const world = await openWorld(many)
    const sku = await world.product({ onHand: 100 })
    const placed: string[] = []
    const order = async () => {
      const key = world.fresh('key')
      const reply = await until(
        () => world.place(world.customer, [{ sku, quantity: 1 }], { key }).catch(() => undefined),
        (given) => given?.status === 201,
      )
      expect(reply?.status).toBe(201)
      placed.push(reply?.json<Order>().id ?? '')
    }
    await order()
    const split = fleet.change('split', { service: 'orders' })
    await order()
    await split
    await order()
    hosts = await fleet.processes()
    expect(hosts).toHaveLength(2)
    const lock = readFileSync(join(data, 'database/serval.lock'), 'utf8')
    const lender = z.object({ pid: z.int() }).parse(JSON.parse(lock))
    expect(hosts.map(({ pid }) => pid)).toContain(lender.pid)
    process.kill(lender.pid, 'SIGKILL')
    await Promise.all([order(), order(), order()])
    const confirmed = async (id: string) =>
      (await world.settled(world.customer, id)).status === 'confirmed'
    for (const id of placed) expect(await confirmed(id)).toBe(true)
    const all = await world.ask('GET /api/v1/orders', { as: world.customer })
    const found = all.json<{ items: Order[] }>().items.map(({ id }) => id)
    expect(found.toSorted()).toEqual(placed.toSorted())
    await fleet.whole(2)
    hosts = await fleet.processes()
    expect((await many.stop()).code).toBe(0)
    expect(readdirSync(join(data, 'database'))).toEqual(['data'])
  },
  120_000,
)
