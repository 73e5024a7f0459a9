import type { Client } from '../../contract/index.ts'
import { failure } from '../../base/failure.ts'
import type { fleet } from '../../fleet/index.ts'
import { columns, type Command, type Given } from '../command.ts'
import type { Terminal } from '../terminal.ts'
import { endOrphans } from './orphans.ts'
import { dataOf, dataOption, fleetOf, forgetState, leftState, orphansOf } from './state.ts'

type Fleet = Client<typeof fleet>

const longestMs = 15 * 60_000

/** Waits for a change, and shows meanwhile what the fleet is about. */
const followed = async (client: Fleet, terminal: Terminal, work: Promise<unknown>) => {
  let over = false
  const watch = async () => {
    while (!over) {
      const now = await client.status({}).catch(() => undefined)
      const busy = now?.processes.filter(({ state }) => state !== 'ready') ?? []
      if (!over && now?.doing !== undefined)
        terminal.progress([now.doing, ...busy.map((one) => `${one.name} ${one.state}`)].join(', '))
      await new Promise((resolve) => setTimeout(resolve, 250))
    }
  }
  void watch()
  try {
    await work
  } finally {
    over = true
    terminal.progress('')
  }
}

const changing = (
  about: Pick<Command, 'name' | 'takes' | 'arguments' | 'summary'> & {
    readonly notes?: readonly string[]
  },
  begin: (client: Fleet, given: Given) => Promise<unknown>,
  done: (given: Given) => string,
): Command => ({
  ...about,
  options: { data: dataOption },
  run: async (given, terminal) => {
    const client = fleetOf(dataOf(given))
    const begun = performance.now()
    await followed(client, terminal, begin(client, given))
    terminal.out(`${done(given)} (${((performance.now() - begun) / 1_000).toFixed(1)} s)`)
    return 0
  },
})

const wait = { deadlineMs: longestMs }

export const scale = changing(
  {
    name: 'scale',
    takes: 'ROLE=N',
    arguments: { least: 1, most: 1 },
    summary: 'Has so many processes of a role',
  },
  (client, { positionals: [text = ''] }) => {
    const found = /^([\w-]+)=(\d{1,2})$/.exec(text)
    if (found === null)
      throw failure(
        'misconfigured',
        `say it as ROLE=N, such as orders=3; not ${JSON.stringify(text)}`,
      )
    return client.scale({ role: found[1] ?? '', replicas: Number(found[2]) }, wait)
  },
  ({ positionals: [text = ''] }) => `scaled: ${text}`,
)

export const split = changing(
  {
    name: 'split',
    takes: 'SERVICE',
    arguments: { least: 1, most: 1 },
    summary: 'Gives a service processes of its own, while calls go on',
  },
  (client, { positionals: [service = ''] }) => client.split({ service }, wait),
  ({ positionals: [service = ''] }) => `${service} has processes of its own`,
)

export const merge = changing(
  {
    name: 'merge',
    takes: 'SERVICE',
    arguments: { least: 1, most: 1 },
    summary: 'Puts a service back to the others, while calls go on',
  },
  (client, { positionals: [service = ''] }) => client.merge({ service }, wait),
  ({ positionals: [service = ''] }) => `${service} is back with the others`,
)

export const roll = changing(
  {
    name: 'roll',
    takes: '[ROLE]',
    arguments: { least: 0, most: 1 },
    summary: 'Replaces each process by a new one, one after the other, while calls go on',
    notes: ['The new ones run what the files say now: new code, and its migrations.'],
  },
  (client, { positionals: [role] }) => client.roll(role === undefined ? {} : { role }, wait),
  ({ positionals: [role] }) => `rolled: ${role ?? 'everything'}`,
)

const downByItsSupervisor = changing(
  {
    name: 'down',
    takes: '',
    arguments: { least: 0, most: 0 },
    summary: 'Drains and ends a fleet, also one whose supervisor has ended',
  },
  (client) => client.down({}, wait),
  () => 'the fleet has ended',
)

/** As long as a supervisor gives them. */
const drainMs = 30_000

export const down: Command = {
  ...downByItsSupervisor,
  run: async (given, terminal) => {
    const data = dataOf(given)
    const left = leftState(data)
    const orphans = left === undefined ? [] : orphansOf(left)
    if (orphans.length === 0) return downByItsSupervisor.run(given, terminal)
    terminal.progress(`draining ${orphans.map(({ name }) => name).join(', ')}`)
    await endOrphans(orphans, drainMs)
    forgetState(data)
    terminal.progress('')
    terminal.out(
      `the supervisor had ended; the ${orphans.length} processes that it left have ended too`,
    )
    return 0
  },
}

const spent = (ms: number): string => {
  const seconds = Math.round(ms / 1_000)
  return seconds < 120
    ? `${seconds} s`
    : seconds < 7_200
      ? `${Math.round(seconds / 60)} min`
      : `${Math.round(seconds / 3_600)} h`
}

export const status: Command = {
  name: 'status',
  takes: '',
  arguments: { least: 0, most: 0 },
  summary: 'Shows the processes of a fleet, and what they run',
  options: { data: dataOption },
  run: async (given, terminal) => {
    const { setup, doing, processes } = await fleetOf(dataOf(given)).status({})
    terminal.out(terminal.bold(`${setup}${doing === undefined ? '' : `, ${doing}`}`))
    const row = (name: string, state: string, pid: string, up: string, runs: string) =>
      [`${name.padEnd(18)}${state.padEnd(10)}${pid.padEnd(9)}${up}`, runs] as const
    const rows = [...processes]
      .sort((a, b) => a.name.localeCompare(b.name))
      .map(({ name, state, pid, upMs, restarts, services, edge }) => {
        const again =
          restarts === 0 ? '' : `, ${restarts} ${restarts === 1 ? 'restart' : 'restarts'}`
        const runs = [...(edge ? ['edge'] : []), ...services].join(' ')
        return row(name, state, String(pid), `${spent(upMs)}${again}`, runs)
      })
    for (const line of columns([row('process', 'state', 'pid', 'up', 'runs'), ...rows]))
      terminal.out(line)
    return 0
  },
}
