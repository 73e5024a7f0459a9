import { programs } from '../machine/about.ts'
import { startDatabase } from '../machine/postgres.ts'
import type { ContenderInfo } from '../samples.ts'
import type { Contender } from './contender.ts'
import { startMonolith } from './monolith.ts'
import { startShop } from './shop.ts'

export type { Carried, Contender } from './contender.ts'

interface Startable {
  readonly info: ContenderInfo
  readonly start: (info: ContenderInfo) => Promise<Contender>
}

/** Everything that is measured over HTTP, in the order of the report. */
export const contendersOf = (versions: Readonly<Record<string, string>>): readonly Startable[] => {
  const of = (name: string) => `${name} ${versions[name] ?? ''}`
  const postgres = 'PostgreSQL'
  const embedded = `embedded PGlite ${versions['@electric-sql/pglite'] ?? ''}`
  const node = `Node ${versions['node'] ?? ''}`
  const bun = `Bun ${versions['bun'] ?? ''}`
  const monolith =
    (framework: 'fastify' | 'hono', program: string) => async (info: ContenderInfo) =>
      startMonolith({ ...info, framework, program, server: await startDatabase() })
  const shop = (program: string) => async (info: ContenderInfo) =>
    startShop({ ...info, program, server: await startDatabase() })
  const fleet = (setup: 'cheetah' | 'tiger') => async (info: ContenderInfo) =>
    startShop({ ...info, program: programs.bun, server: await startDatabase(), fleet: setup })
  return [
    {
      info: { id: 'shop-bun', side: 'ours', name: `shop, big-cat, ${bun}, ${postgres}` },
      start: shop(programs.bun),
    },
    {
      info: { id: 'shop-node', side: 'ours', name: `shop, big-cat, ${node}, ${postgres}` },
      start: shop(programs.node),
    },
    {
      info: {
        id: 'shop-kitten',
        side: 'ours',
        apart: true,
        name: `shop, kitten, ${bun}, ${embedded}, no fsync`,
      },
      start: (info) => startShop({ ...info, program: programs.bun }),
    },
    {
      info: {
        id: 'shop-cheetah',
        side: 'ours',
        apart: true,
        name: `shop, cheetah: an edge and two copies, ${bun}, ${postgres}`,
      },
      start: fleet('cheetah'),
    },
    {
      info: {
        id: 'shop-tiger',
        side: 'ours',
        apart: true,
        name: `shop, tiger: ten processes, ${bun}, ${postgres}`,
      },
      start: fleet('tiger'),
    },
    {
      info: {
        id: 'fastify-node',
        side: 'theirs',
        name: `monolith, ${of('fastify')}, ${node}, postgres.js ${versions['postgres'] ?? ''}`,
      },
      start: monolith('fastify', programs.node),
    },
    {
      info: {
        id: 'hono-bun',
        side: 'theirs',
        name: `monolith, ${of('hono')}, ${bun} with its own server and PostgreSQL driver`,
      },
      start: monolith('hono', programs.bun),
    },
  ]
}
