import type { Env } from '../base/env.ts'
import type { Store } from '../store/store.ts'

const keepLogMs = 7 * 24 * 3_600_000

/** The toolkit's own recurring jobs in each service: they let go of what is kept no longer. */
export const keepJobs = (
  store: Store,
  env: Env,
): ReadonlyMap<string, { readonly everyMs: number; readonly run: () => Promise<unknown> }> =>
  new Map([
    ['serval-prune-replies', { everyMs: 3_600_000, run: () => store.replies.prune(env.now()) }],
    [
      'serval-prune-log',
      { everyMs: 3_600_000, run: () => store.log.readers.prune(env.now() - keepLogMs) },
    ],
  ])
