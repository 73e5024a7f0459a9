import { run } from 'serval/host'
import { banner } from './banner.ts'

await run({
  setups: {
    kitten: () => import('../setups/kitten.ts'),
    'big-cat': () => import('../setups/big-cat.ts'),
    cheetah: () => import('../setups/cheetah.ts'),
    tiger: () => import('../setups/tiger.ts'),
  },
  defaultSetup: 'kitten',
  helpNotes: [
    'Without options: port 8080, operator’s port 8081, the folder data, log level warn.',
    'big-cat, cheetah and tiger need SERVAL_DATABASE_URL=postgres://user:password@host:port/database.',
    'SERVAL_RUNTIME=node npm start runs it on Node instead of Bun.',
  ],
  banner,
})
