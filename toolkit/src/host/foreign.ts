import { failure } from '../base/failure.ts'
import type { Contract } from '../contract/index.ts'
import type { ForeignService } from '../service/foreign.ts'
import type { Service } from '../service/index.ts'
import type { Role } from './joining.ts'
import type { Setup } from './setup.ts'

/** A system as a setup has it: what its hosts run, and what is called elsewhere. */
export interface Parts {
  /** Those that hosts run. */
  readonly services: readonly Service[]
  readonly foreign: readonly ForeignService[]
  /** Of both. */
  readonly contracts: readonly Contract[]
}

export const partsOf = ({ system, foreign = [] }: Pick<Setup, 'system' | 'foreign'>): Parts => {
  const names = foreign.map(({ contract }) => contract.name)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined)
    throw failure('misconfigured', `the setup has two foreign services ${twice}`)
  const services = system.services.filter(({ contract }) => !names.includes(contract.name))
  return { services, foreign, contracts: [...services, ...foreign].map(({ contract }) => contract) }
}

/** The roles of a setup's fleet without its foreign services; a role that has nothing else to do is none. */
export const rolesOf = ({
  fleet,
  foreign = [],
}: Setup): Readonly<Record<string, Role>> | undefined => {
  if (fleet === undefined || foreign.length === 0) return fleet?.roles
  const names = foreign.map(({ contract }) => contract.name)
  const left = Object.entries(fleet.roles).flatMap(([name, role]) => {
    if (role.services === 'all') return [[name, role] as const]
    const services = role.services.filter((service) => !names.includes(service))
    return services.length > 0 || role.edge ? [[name, { ...role, services }] as const] : []
  })
  return Object.fromEntries(left)
}
