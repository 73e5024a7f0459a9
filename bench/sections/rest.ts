import { setTimeout as sleep } from 'node:timers/promises'
import type { Contender } from '../contenders/index.ts'
import { residentMib } from '../machine/processes.ts'
import { interleaved, watch, type Bench } from '../measuring.ts'

/** What a server costs that nobody asks anything. */
export const measureRest = async (
  bench: Bench,
  contenders: readonly Contender[],
): Promise<void> => {
  await interleaved(bench, 'rest', contenders, async (contender) => {
    const used = watch(contender)
    await sleep(bench.options.seconds * 1_000)
    const usage = used()
    return {
      values: {
        'rest.memory': residentMib(contender.pid),
        'rest.cpu': (100 * (usage.server + usage.postgres)) / usage.seconds,
      },
      raw: { usage },
    }
  })
}
