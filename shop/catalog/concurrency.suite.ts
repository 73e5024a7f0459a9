import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ServalError, type Client } from 'serval'
import { eventually, type TestServices } from 'serval/testing'
import { catalog } from './contract.ts'
import { logged } from './logged.suite.ts'

export interface CatalogHosts {
  /** Hosts that run the catalog service on one store. */
  readonly hosts: readonly Pick<TestServices, 'client' | 'stores'>[]
  end(): Promise<unknown>
}

const numbers = (count: number) => Array.from({ length: count }, (_, index) => index)

/** 'ok', or the code of what a call failed with. */
const outcome = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'ok',
    (error: unknown) => {
      if (error instanceof ServalError) return error.code
      throw error
    },
  )

/** What must hold when many merchants, on one host or several, change the same products at once. */
export const catalogConcurrencySuite = (name: string, start: () => Promise<CatalogHosts>): void => {
  describe(`catalog under concurrency: ${name}`, () => {
    let running: CatalogHosts
    let clients: readonly Client<typeof catalog>[]
    const catalogOf = (caller: number) => {
      const client = clients[caller % clients.length]
      if (client === undefined) throw new Error('the suite needs a host')
      return client
    }
    const events = (sku: string, count: number) =>
      eventually(async () => {
        const [host] = running.hosts
        return host && logged(host, sku, count)
      }, `${count} events of ${sku}`)
    const merchant = { kind: 'user', id: 'm', roles: ['merchant'], session: 's' } as const
    const product = (sku: string, amount: number) => ({
      sku,
      name: `Priced ${amount}`,
      price: { amount, currency: 'GBP' },
      category: 'Raced',
    })

    beforeAll(async () => {
      running = await start()
      clients = running.hosts.map((host) => host.client(catalog, merchant))
    }, 60_000)
    afterAll(() => running?.end(), 60_000)

    test('many changes of one product are all made, none over another', async () => {
      await catalogOf(0).create(product('patched', 1))
      const found = await Promise.all(
        numbers(24).map((n) =>
          outcome(catalogOf(n).amend({ sku: 'patched', attributes: { [`a${n}`]: `${n}` } })),
        ),
      )
      expect(found).toEqual(numbers(24).map(() => 'ok'))
      const { attributes } = await catalogOf(0).product({ sku: 'patched' })
      expect(attributes).toEqual(Object.fromEntries(numbers(24).map((n) => [`a${n}`, `${n}`])))
      expect(await events('patched', 25)).toHaveLength(25)
    }, 30_000)

    test('a change shows in the next quote of its host, and soon in those of the others', async () => {
      const sku = 'repriced'
      const totalAt = async (host: number) =>
        (await catalogOf(host).quote({ lines: [{ sku, quantity: 1 }] })).total.amount
      await catalogOf(0).create(product(sku, 1))
      for (const host of clients.keys()) expect(await totalAt(host)).toBe(1)
      await catalogOf(0).amend({ sku, price: { amount: 2 } })
      expect(await totalAt(0)).toBe(2)
      for (const host of clients.keys())
        await eventually(
          async () => (await totalAt(host)) === 2,
          `the new price on host ${host}`,
          5_000,
        )
    }, 30_000)

    test('what is withdrawn and created again never takes on what its predecessor was', async () => {
      const sku = 'phoenix'
      await catalogOf(0).create(product(sku, 1))
      const failures = new Map([
        ['create', 'product-exists'],
        ['amend', 'no-such-product'],
        ['withdraw', 'no-such-product'],
      ])
      let done = 1
      for (const round of numbers(12)) {
        const found = await Promise.all(
          numbers(12).map(async (n) => {
            const amount = 2 + round * 12 + n
            const kind = (['amend', 'withdraw', 'create', 'amend'] as const)[(n + round) % 4]
            const client = catalogOf(n + round)
            const call =
              kind === 'create'
                ? client.create(product(sku, amount))
                : kind === 'withdraw'
                  ? client.withdraw({ sku })
                  : client.amend({ sku, price: { amount } })
            const result = await outcome(call)
            expect([`${kind} ok`, `${kind} ${failures.get(kind ?? '')}`]).toContain(
              `${kind} ${result}`,
            )
            return result
          }),
        )
        done += found.filter((one) => one === 'ok').length
      }
      const log = (await events(sku, done)).map(({ type, data }) => ({
        type,
        amount: (data as { readonly price?: { readonly amount: number } }).price?.amount,
      }))
      expect(log).toHaveLength(done)
      // Whatever the order, it is the order of one product after another.
      let now: { readonly name: string; readonly amount: number | undefined } | undefined
      for (const { type, amount } of log) {
        if (type === 'product.added.v1') {
          expect(now).toBeUndefined()
          now = { name: `Priced ${amount}`, amount }
        } else {
          expect(now).toBeDefined()
          now =
            type === 'product.withdrawn.v1' || now === undefined ? undefined : { ...now, amount }
        }
      }
      const [last] = (await catalogOf(0).products({ limit: 100 })).items.filter(
        (one) => one.sku === sku,
      )
      expect(last && { name: last.name, amount: last.price.amount }).toEqual(now)
    }, 60_000)
  })
}
