import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['{toolkit,shop,setups,acceptance,bench,docs,scripts}/**/*.test.ts'],
    // A process per file, two at a time: an embedded PostgreSQL takes some 200 MB, and
    // gives it back only when its process ends.
    pool: 'forks',
    maxWorkers: 2,
    // The same as scripts/test.mjs gives to bun.
    testTimeout: 20_000,
    hookTimeout: 20_000,
  },
})
