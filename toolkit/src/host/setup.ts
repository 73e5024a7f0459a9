import { failure, ServalError } from '../base/failure.ts'
import type { z } from 'zod'
import type { CacheEngine } from '../cache/index.ts'
import type { Client, Contract, PublishedEvent } from '../contract/index.ts'
import type { Authenticate } from '../edge/index.ts'
import type { ListenHttp } from '../link/http.ts'
import type { ForeignService } from '../service/foreign.ts'
import type { Service } from '../service/index.ts'
import type { StoreEngine } from '../store/engine.ts'
import type { EdgeSettings } from './edges.ts'
import type { FleetSetup } from './joining.ts'
import type { Settings } from './settings.ts'

/** Gives a typed, guarded client of a service of the system. */
export type Connect = <C extends Contract>(contract: C) => Client<C>

/** Tells of each event of a kind from now on, whichever host publishes it; `gap` when some may have been missed. */
export type Follow = <E extends PublishedEvent>(
  event: E,
  told: (data: z.output<E['data']>) => void,
  gap: () => void,
) => Promise<unknown>

/** The services that belong together. */
export interface System {
  readonly name: string
  readonly title: string
  readonly version: string
  readonly services: readonly Service[]
  /** Fills a development setup with what one wants to see at once; run at every start, so it adds only what is missing. */
  readonly seed?: (connect: Connect) => Promise<void>
}

/** What runs where, on which engines. */
export interface Setup {
  readonly system: System
  /** Services that are not written with Serval; one of the system’s own whose contract is among them is not run. */
  readonly foreign?: readonly ForeignService[]
  /** Seeds, and prints accounts. */
  readonly development: boolean
  readonly stores: StoreEngine
  /** Where the services cache. */
  readonly cache: CacheEngine
  /** What the services' ports are filled with. */
  readonly ports: Readonly<Record<string, unknown>>
  readonly listen: ListenHttp
  /** How the public edge treats the world; `{}` is safe. */
  readonly edge: EdgeSettings
  readonly authenticate: (connect: Connect, follow: Follow) => Authenticate | Promise<Authenticate>
  readonly public: Address
  /** Never public: the control API, sums and parked messages. */
  readonly operator: Address
  /** What all secrets are derived from: 32 bytes or more, the same for every host of the setup. */
  readonly masterSecret: () => Promise<Uint8Array<ArrayBuffer>>
  /** How its hosts find and call each other; without it one process runs it all. */
  readonly fleet?: FleetSetup
}

export interface Address {
  readonly host: string
  readonly port: number
  /** Other processes of the fleet may listen here too, so that one can take over from another. */
  readonly shared?: boolean
  /** What a person sets to change it, for the message when it is taken. */
  readonly setting?: string
}

export interface SetupFile {
  readonly name: string
  readonly wire: (settings: Settings) => Setup
}

/** A setup: a name, and the wiring. It is the default export of a file in `setups/`. */
export const setup = (name: string, wire: (settings: Settings) => Setup): SetupFile =>
  Object.freeze({ name, wire })

type Type = 'object' | 'array' | 'function' | 'boolean' | 'string' | 'number'

/** Fields by their paths, outer ones first. */
const needed: readonly (readonly [path: string, type: Type])[] = [
  ['system', 'object'],
  ['system.name', 'string'],
  ['system.title', 'string'],
  ['system.version', 'string'],
  ['system.services', 'array'],
  ['development', 'boolean'],
  ['stores', 'object'],
  ['stores.open', 'function'],
  ['stores.close', 'function'],
  ['cache', 'object'],
  ['cache.open', 'function'],
  ['ports', 'object'],
  ['listen', 'function'],
  ['authenticate', 'function'],
  ['edge', 'object'],
  ['public', 'object'],
  ['public.host', 'string'],
  ['public.port', 'number'],
  ['operator', 'object'],
  ['operator.host', 'string'],
  ['operator.port', 'number'],
  ['masterSecret', 'function'],
]

const typeOf = (value: unknown): string =>
  value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value

const at = (value: unknown, path: string): unknown =>
  path
    .split('.')
    .reduce(
      (inside, name) => (inside as Readonly<Record<string, unknown>> | undefined)?.[name],
      value,
    )

const wire = (file: string, exported: SetupFile, settings: Settings): Setup => {
  try {
    return exported.wire(settings)
  } catch (error) {
    if (error instanceof ServalError) throw error
    throw failure(
      'misconfigured',
      `${file}: its wiring failed: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    )
  }
}

/** Checks what a file exports, since a setup may be a file that no compiler has seen. */
export const setupFrom = (
  module: unknown,
  file: string,
  settings: Settings,
): { readonly name: string; readonly setup: Setup } => {
  const exported = (module as { default?: Partial<SetupFile> } | undefined)?.default
  if (typeof exported?.name !== 'string' || typeof exported.wire !== 'function')
    throw failure('misconfigured', `${file} must have a default export made by setup(name, wiring)`)
  const wired = wire(file, exported as SetupFile, settings)
  for (const [path, type] of needed) {
    const given = typeOf(at(wired, path))
    if (given !== type)
      throw failure(
        'misconfigured',
        `${file}: the setup’s field ${path} must be ${/^[ao]/.test(type) ? 'an' : 'a'} ${type}; it is ${given}`,
      )
  }
  return { name: exported.name, setup: wired }
}
