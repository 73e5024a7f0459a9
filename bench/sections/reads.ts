import type { Contender } from '../contenders/index.ts'
import { interleaved, load, watch, type Bench } from '../measuring.ts'
import { benchSkus } from '../prepare.ts'

/** Products read once in a round; enough for the fastest contender. */
const coldPerRound = (seconds: number) => Math.ceil(30_000 * seconds)

const per100k = (cpu: number, reads: number) => (cpu / reads) * 100_000

/** The same two hundred products again and again, from whatever cache there is; then products that nobody has asked for yet. */
export const measureReads = async (
  bench: Bench,
  contenders: readonly Contender[],
): Promise<void> => {
  await interleaved(bench, 'reads', contenders, async (contender) => {
    const used = watch(contender)
    const round = await load(bench, contender, { kind: 'reads', skus: benchSkus })
    const usage = used()
    return {
      values: {
        'reads.cached': round.answered / round.seconds,
        'reads.cached.cpu': per100k(usage.server + usage.postgres, round.answered),
      },
      raw: { ...round, usage },
    }
  })
  const seconds = bench.options.seconds / 2
  const each = coldPerRound(seconds)
  const withStore = contenders.filter(({ store }) => store !== undefined)
  for (const { store } of withStore) {
    const [sku = ''] = benchSkus
    await store?.server.addColdProducts(store.products, sku, each * (bench.options.rounds + 1))
  }
  await interleaved(bench, 'reads', withStore, async (contender, n) => {
    await contender.store?.server.checkpoint()
    const used = watch(contender)
    const traffic = { kind: 'first-reads', from: n * each } as const
    const round = await load(bench, contender, traffic, { seconds, requests: each })
    const usage = used()
    return {
      values: {
        'reads.uncached': round.answered / round.seconds,
        'reads.uncached.cpu': per100k(usage.server + usage.postgres, round.answered),
      },
      raw: { ...round, usage },
    }
  })
}
