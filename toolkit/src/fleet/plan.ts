import type { Role } from '../host/index.ts'
import { WrongChange } from './contract.ts'

/** What one kind of process runs, and how many there are. */
export interface PlannedRole {
  readonly services: readonly string[]
  readonly edge: boolean
  readonly replicas: number
}

export type Plan = Readonly<Record<string, PlannedRole>>

const refuse = (detail: string) => WrongChange(undefined, detail)

const tooFew = (name: string) =>
  refuse(`${name} needs at least one process: nothing else would do what it does`)

/** The plan of a setup's roles. A setup without roles is one process that runs everything. */
export const planOf = (
  services: readonly string[],
  roles: Readonly<Record<string, Role>> = { all: { services: 'all', edge: true } },
): Plan => {
  const plan: Record<string, PlannedRole> = {}
  for (const [name, role] of Object.entries(roles)) {
    const mine = role.services === 'all' ? services : role.services
    const unknown = mine.filter((service) => !services.includes(service))
    if (unknown.length > 0)
      throw refuse(`the role ${name} has services that there are not: ${unknown.join(', ')}`)
    const { edge, replicas = 1 } = role
    if (replicas === 0) throw tooFew(name)
    plan[name] = { services: [...mine], edge, replicas }
  }
  const planned = Object.values(plan)
  const missing = services.filter((one) => planned.every((role) => !role.services.includes(one)))
  if (missing.length > 0) throw refuse(`no role runs ${missing.join(', ')}`)
  if (planned.every(({ edge }) => !edge)) throw refuse('no role has an edge')
  return plan
}

const roleNamed = (plan: Plan, name: string): PlannedRole => {
  const role = Object.hasOwn(plan, name) ? plan[name] : undefined
  if (role === undefined)
    throw refuse(`there is no role ${name}; there are ${Object.keys(plan).join(', ')}`)
  return role
}

const has =
  (service: string) =>
  ([, role]: readonly [string, PlannedRole]) =>
    role.services.includes(service)

const known = (plan: Plan, service: string): void => {
  const all = Object.values(plan).flatMap(({ services }) => services)
  if (!all.includes(service))
    throw refuse(`there is no service ${service}; there are ${[...new Set(all)].sort().join(', ')}`)
}

export const scaled = (plan: Plan, name: string, replicas: number): Plan => {
  const role = roleNamed(plan, name)
  if (replicas === 0) throw tooFew(name)
  return { ...plan, [name]: { ...role, replicas } }
}

/** Takes a service out of the roles that run it with others, into a role of its own name. */
export const withSplit = (plan: Plan, service: string): Plan => {
  known(plan, service)
  const before = Object.entries(plan).filter(has(service))
  if (before.length === 1 && before[0]?.[1].services.length === 1 && !before[0][1].edge)
    throw refuse(`${service} has processes of its own already`)
  if (Object.hasOwn(plan, service)) throw refuse(`there is another role ${service} already`)
  const rest: Record<string, PlannedRole> = {}
  for (const [name, role] of Object.entries(plan)) {
    const services = role.services.filter((one) => one !== service)
    if (services.length > 0 || role.edge) rest[name] = { ...role, services }
  }
  const replicas = Math.max(...before.map(([, role]) => role.replicas))
  return {
    ...rest,
    [service]: { services: [service], edge: false, replicas },
  }
}

/** Ends a service's own role; it goes to the role with the most services. */
export const withMerged = (plan: Plan, service: string): Plan => {
  known(plan, service)
  const own = Object.hasOwn(plan, service) ? plan[service] : undefined
  if (own === undefined || own.services.length !== 1)
    throw refuse(`${service} has no processes of its own`)
  const others = Object.entries(plan).filter(([name]) => name !== service)
  const [into] = others.sort(([, a], [, b]) => b.services.length - a.services.length)
  if (into === undefined) throw refuse(`there is no other role that could run ${service}`)
  const [name, role] = into
  return Object.fromEntries(
    others.map(([one, kept]) =>
      one === name ? [one, { ...role, services: [...role.services, service] }] : [one, kept],
    ),
  )
}
