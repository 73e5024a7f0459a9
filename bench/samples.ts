/*
 * What is measured, and the raw samples that a run leaves behind. A table, a report and a plot are made from them and nothing
 * else, so that a run can be looked at again.
 */

export interface Measure {
  readonly section: Section
  readonly title: string
  readonly unit: string
  readonly better: 'more' | 'less'
  readonly digits: number
  /** How many times as good as the best of theirs it shall be. */
  readonly goal?: number
  /** False: shown only. Next to nothing is no good measure for anything, nor is a part without the rest. */
  readonly compared?: false
}

export const sections = ['calls', 'links', 'rest', 'reads', 'auth', 'orders', 'replicas'] as const
export type Section = (typeof sections)[number]

const cpu = { unit: 'CPU-s', better: 'less', digits: 3 } as const
const rate = { unit: '/s', better: 'more', digits: 0 } as const
const time = { unit: 'ms', better: 'less', digits: 1 } as const

const all = {
  'calls.rate': { ...rate, section: 'calls', title: 'Local calls', goal: 1 },
  'calls.cpu': { ...cpu, section: 'calls', title: 'CPU per million local calls', digits: 2 },
  'links.rate': { ...rate, section: 'links', title: 'Calls between two processes', goal: 2 },
  'links.cpu': {
    ...cpu,
    section: 'links',
    title: 'CPU per million such calls, both sides and the broker',
    digits: 2,
  },
  'links.cpu.client': {
    ...cpu,
    section: 'links',
    title: '… of it who calls',
    digits: 2,
    compared: false,
  },
  'links.cpu.server': {
    ...cpu,
    section: 'links',
    title: '… of it who answers',
    digits: 2,
    compared: false,
  },
  'links.p50': { ...time, section: 'links', title: 'Such a call, median', digits: 2 },
  'links.p99': { ...time, section: 'links', title: 'Such a call, 99th percentile', digits: 2 },
  'rest.memory': {
    section: 'rest',
    title: 'Memory of the server, after its start',
    unit: 'MiB',
    better: 'less',
    digits: 0,
  },
  'rest.cpu': {
    section: 'rest',
    title: 'CPU of server and PostgreSQL while nothing happens',
    unit: '% of a core',
    better: 'less',
    digits: 1,
    compared: false,
  },
  'reads.cached': { ...rate, section: 'reads', title: 'Product reads, cached', goal: 1 },
  'reads.cached.cpu': {
    ...cpu,
    section: 'reads',
    title: 'CPU per 100,000 cached reads',
    digits: 2,
  },
  'reads.uncached': {
    ...rate,
    section: 'reads',
    title: 'Product reads, each product for the first time',
    goal: 1,
  },
  'reads.uncached.cpu': {
    ...cpu,
    section: 'reads',
    title: 'CPU per 100,000 first reads',
    digits: 2,
  },
  'auth.registrations': { ...rate, section: 'auth', title: 'Registrations' },
  'auth.logins': { ...rate, section: 'auth', title: 'Logins' },
  'auth.cpu': {
    ...cpu,
    section: 'auth',
    title: 'CPU per 1,000 registrations and logins',
    digits: 1,
  },
  'orders.accepted': { ...rate, section: 'orders', title: 'Orders accepted', goal: 3 },
  'orders.carried': {
    ...rate,
    section: 'orders',
    title: 'Orders confirmed, notified and counted',
    goal: 1,
  },
  'orders.cpu': { ...cpu, section: 'orders', title: 'CPU per 1,000 orders, server and PostgreSQL' },
  'orders.cpu.accepting': { ...cpu, section: 'orders', title: '… of it up to the reply' },
  'orders.cpu.postgres': { ...cpu, section: 'orders', title: '… of it PostgreSQL' },
  'orders.p50': { ...time, section: 'orders', title: 'Reply to an order, median' },
  'orders.p99': { ...time, section: 'orders', title: 'Reply to an order, 99th percentile' },
  'orders.memory': {
    unit: 'MiB',
    better: 'less',
    digits: 0,
    section: 'orders',
    title: 'Memory of the server, after its orders',
  },
  'replicas.accepted': { ...rate, section: 'replicas', title: 'Orders accepted' },
  'replicas.carried': {
    ...rate,
    section: 'replicas',
    title: 'Orders confirmed, notified and counted',
  },
  'replicas.p50': { ...time, section: 'replicas', title: 'Reply to an order, median' },
  'replicas.p99': { ...time, section: 'replicas', title: 'Reply to an order, 99th percentile' },
  'replicas.cpu': {
    ...cpu,
    section: 'replicas',
    title: 'CPU per 1,000 orders',
  },
} as const satisfies Readonly<Record<string, Measure>>

export type MeasureId = keyof typeof all
/** In the order of the report. */
export const measures: Readonly<Record<MeasureId, Measure>> = all

export interface Sample {
  readonly measure: MeasureId
  readonly contender: string
  /** Rounds are interleaved: round n of one contender stands beside round n of the others. */
  readonly round: number
  readonly value: number
}

export interface ContenderInfo {
  readonly id: string
  /** Engine, runtime and versions. */
  readonly name: string
  readonly side: 'ours' | 'theirs'
  /** Shown beside the others, but it does something else: no ratio is made of it. */
  readonly apart?: boolean
  /** Compared only with those of the same group. */
  readonly group?: string
}

export interface Results {
  readonly at: string
  readonly commit: string
  readonly machine: Readonly<Record<string, string>>
  readonly versions: Readonly<Record<string, string>>
  readonly postgres: Readonly<Record<string, string>>
  readonly options: Readonly<Record<string, string | number>>
  readonly contenders: readonly ContenderInfo[]
  readonly samples: readonly Sample[]
  /** What the driver said of each round, and what else used the machine meanwhile. */
  readonly rounds: readonly Readonly<Record<string, unknown>>[]
}
