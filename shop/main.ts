import { run } from 'serval/host'
import { banner } from './banner.ts'

await run({
  setups: {
    kitten: () => import('../setups/kitten.ts'),
    'big-cat': () => import('../setups/big-cat.ts'),
  },
  defaultSetup: 'kitten',
  banner,
})
