import { existsSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { failure } from '../../base/failure.ts'
import type { Contract } from '../../contract/index.ts'
import type { CommandOption } from '../command.ts'

/** What the commands about contracts are told. */
export const contractsOptions = {
  snapshot: {
    type: 'string',
    value: 'FILE',
    help: 'what was released; contracts.json beside SYSTEM, unless given',
  },
} satisfies Record<string, CommandOption>

const isContract = (value: unknown): value is Contract =>
  typeof value === 'object' &&
  value !== null &&
  'name' in value &&
  typeof value.name === 'string' &&
  'operations' in value &&
  typeof value.operations === 'object' &&
  'events' in value &&
  typeof value.events === 'object'

const member = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined

/** The contracts of a value's services, if it is a system. */
const ofSystem = (value: unknown): Contract[] => {
  const services = member(value, 'services')
  return Array.isArray(services)
    ? services.map((one: unknown) => member(one, 'contract')).filter(isContract)
    : []
}

/** The contracts that a module exports: those of its systems, or single ones. */
export const loadContracts = async (system: string): Promise<readonly Contract[]> => {
  const file = resolve(system)
  if (!existsSync(file)) throw failure('misconfigured', `${system} does not exist`)
  const module = await import(pathToFileURL(file).href).then(
    (loaded: object) => loaded,
    (cause: unknown) => {
      const reason = cause instanceof Error ? cause.message : String(cause)
      throw failure('misconfigured', `${system} cannot be loaded: ${reason}`, { cause })
    },
  )
  const exported = Object.values(module)
  const inSystems = exported.flatMap(ofSystem)
  const found = new Map<string, Contract>()
  for (const one of inSystems.length > 0 ? inSystems : exported.filter(isContract)) {
    if ((found.get(one.name) ?? one) !== one)
      throw failure('misconfigured', `${system} holds two contracts with the name ${one.name}`)
    found.set(one.name, one)
  }
  if (found.size === 0)
    throw failure(
      'misconfigured',
      `${system} exports neither a system (an object with services) nor a contract`,
    )
  return [...found.values()]
}

/** The path of the snapshot, as a person would write it here. */
export const snapshotFile = (system: string, given: string | undefined): string => {
  const file = given ?? join(dirname(system), 'contracts.json')
  const short = relative('.', file)
  return short.startsWith('..') ? file : short
}
