import type { Env } from '../base/env.ts'
import { loop } from '../base/loop.ts'
import type { Directory, Peer } from '../link/directory.ts'
import { httpClient } from '../link/http-client.ts'
import { fleet } from './contract.ts'

export interface SupervisedOptions {
  readonly env: Env
  /** The supervisor's: scheme, host and port. */
  readonly address: string
  readonly key: string
}

const waitMs = 20_000
const announceMs = 1_000

/** The hosts that a supervisor knows. While it is away the last ones stay; when it is back, it is told again. */
export const supervisedDirectory = ({ env, address, key }: SupervisedOptions): Directory => {
  const { peers, announce, leave } = httpClient(fleet, {
    address,
    env,
    headers: { 'x-serval-operator': key },
  })
  const tell = (peer: Peer) => announce({ ...peer, contracts: [...peer.contracts] })
  let self: Peer | undefined
  return {
    watch: (told) => {
      let after = -1
      const watching = loop({
        env,
        failed: () => (after = -1),
        turn: async (signal) => {
          const known = await peers(
            { after, waitMs: after < 0 ? 0 : waitMs },
            { signal, deadlineMs: waitMs + 5_000 },
          )
          const forgotten = self !== undefined && known.peers.every(({ id }) => id !== self?.id)
          if (forgotten && self !== undefined) await tell(self)
          if (known.version !== after) told(known.peers)
          after = known.version
          return 0
        },
      })
      return () => void watching.stop()
    },
    announce: async (now) => {
      const before = self
      self = now
      if (now !== undefined) await tell(now)
      else if (before !== undefined)
        // Whoever stops does not wait for a supervisor that is gone.
        await leave({ id: before.id }, { deadlineMs: announceMs }).catch(() => undefined)
    },
  }
}
