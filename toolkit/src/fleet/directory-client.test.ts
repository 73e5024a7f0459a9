import { isDeepStrictEqual } from 'node:util'
import { afterEach, expect, test } from 'vitest'
import { systemEnv } from '../base/env.ts'
import { listenHttp } from '../engines/http/index.ts'
import type { HttpServer } from '../link/http.ts'
import type { Peer } from '../link/directory.ts'
import { logger } from '../telemetry/log.ts'
import { eventually } from '../testing/eventually.ts'
import { controlServer } from './control.ts'
import { supervisedDirectory } from './directory-client.ts'
import { planOf } from './plan.ts'
import { supervisor } from './supervisor.ts'

const env = systemEnv()
const ends: (() => unknown)[] = []

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

/** A supervisor of one process, which is this test. */
const setting = async () => {
  let id = ''
  const fleet = supervisor({
    env,
    plan: planOf(['a']),
    say: () => undefined,
    start: (about) => {
      id = about.id
      return {
        ...about,
        since: env.now(),
        pid: 1,
        state: 'starting',
        ended: new Promise(() => undefined),
        last: [],
        stop: () => Promise.resolve(),
        kill: () => undefined,
      }
    },
  })
  const up = fleet.up()
  const server: HttpServer = await controlServer(
    {
      env,
      log: logger({ env, level: 'error', write: () => undefined }),
      setup: 'test',
      supervisor: fleet,
      key: 'the key',
      ending: () => undefined,
      ended: () => undefined,
    },
    listenHttp,
  )
  ends.push(() => server.close())
  const self: Peer = { id, address: 'http://self', contracts: ['a', '$edge'] }
  const address = `http://127.0.0.1:${server.port}`
  const directory = (key = 'the key') => supervisedDirectory({ env, address, key })
  return { fleet, up, server, self, directory }
}

const watched = (directory: ReturnType<typeof supervisedDirectory>) => {
  const told: (readonly Peer[])[] = []
  ends.push(directory.watch((peers) => told.push(peers)))
  return told
}

const becomes = (get: () => unknown, wanted: unknown) =>
  eventually(
    () => isDeepStrictEqual(get(), wanted),
    `what was told becoming ${JSON.stringify(wanted)}`,
  )

test('what one host announces the others are told, and that it leaves', async () => {
  const { up, self, directory } = await setting()
  const told = watched(directory())
  await becomes(() => told.at(-1), [])
  const own = directory()
  await own.announce(self)
  await up
  await becomes(() => told.at(-1), [self])
  await own.announce(undefined)
  await becomes(() => told.at(-1), [])
})

test('a supervisor that has forgotten a host is told again', async () => {
  const { fleet, self, directory } = await setting()
  const own = directory()
  const told = watched(own)
  await own.announce(self)
  await becomes(() => told.at(-1), [self])
  fleet.peers.delete(self.id)
  await becomes(() => fleet.peers.list(), [self])
})

test('whoever does not know the key is told nothing, and cannot announce', async () => {
  const { fleet, self, directory } = await setting()
  await expect(directory('another').announce(self)).rejects.toMatchObject({
    kind: 'unauthenticated',
  })
  expect(fleet.peers.list()).toEqual([])
})

test('a host can leave when its supervisor is gone', async () => {
  const { server, self, directory } = await setting()
  const own = directory()
  await own.announce(self)
  await server.close()
  await own.announce(undefined)
})
