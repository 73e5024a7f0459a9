import { systemEnv, type Env } from '../base/env.ts'
import { sha256 } from '../base/hash.ts'
import { memoryCache } from '../engines/memory-cache/index.ts'
import { pglite } from '../engines/pglite/index.ts'
import { sqlStores, type SqlServer } from '../engines/sql/index.ts'
import { startServices, type RunningServices } from '../host/services.ts'
import type { ForeignService } from '../service/foreign.ts'
import type { Service } from '../service/index.ts'
import type { StoreEngine } from '../store/engine.ts'
import { logger } from '../telemetry/log.ts'
import { startApart } from './apart.ts'
import { placementNamed, type Placement } from './disturbances.ts'

export interface TestServicesOptions {
  readonly services: readonly Service[]
  /** Services that are not written with Serval. */
  readonly foreign?: readonly ForeignService[]
  readonly ports?: Readonly<Record<string, unknown>>
  readonly env?: Env
  /** Default: an embedded PostgreSQL in memory, of its own. */
  readonly server?: SqlServer
  /** Instead of `server`: the stores, of whatever kind; memoryStores() starts at once. */
  readonly stores?: StoreEngine
  /** Default: as SERVAL_TEST_PLACEMENT says, or together. */
  readonly placement?: Placement
}

export interface TestServices extends RunningServices {
  /** Every line that was logged. */
  readonly lines: readonly string[]
  readonly env: Env
  /** Stops the services; with `keepServer` the server or the stores stay, for another start. */
  end(options?: { readonly keepServer?: boolean }): Promise<void>
}

/** Services at work in a test, on a real store; where nothing else is asked for, in one host, without a socket. */
export const startTestServices = async (options: TestServicesOptions): Promise<TestServices> => {
  const env = options.env ?? systemEnv()
  const stores = options.stores ?? sqlStores(options.server ?? pglite({}))
  const lines: string[] = []
  const placement = options.placement ?? placementNamed(process.env['SERVAL_TEST_PLACEMENT'])
  const given = {
    services: options.services,
    foreign: options.foreign ?? [],
    stores,
    env,
    log: logger({ env, level: 'debug', write: (line) => lines.push(line) }),
    ports: options.ports ?? {},
    cache: memoryCache({}),
    secret: (service: string, purpose: string) => secretOf(`test/${service}/${purpose}`),
  }
  const running =
    placement === 'together'
      ? await startServices(given)
      : await startApart({ ...given, ...placement })
  return {
    ...running,
    lines,
    env,
    end: async (ending) => {
      await running.stop()
      if (ending?.keepServer !== true) await stores.close()
    },
  }
}

const secretOf = (text: string): Promise<Uint8Array<ArrayBuffer>> =>
  Promise.resolve(new Uint8Array(Buffer.from(sha256(text, 'hex'), 'hex')))
