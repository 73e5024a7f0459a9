import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Round } from '../links/side.ts'
import { programs, type Runtime } from '../machine/about.ts'
import { interleaved, type Bench } from '../measuring.ts'
import type { ContenderInfo } from '../samples.ts'

export interface Linked {
  readonly id: string
  readonly info: ContenderInfo
  readonly runtime: Runtime
  readonly engine: string
}

const engines = [
  ['wire', 'ours', 'frames over TCP; all guards, validation both ways, deadline, identity'],
  ['http', 'ours', 'HTTP/1.1; all guards, validation both ways, deadline, identity'],
  ['moleculer', 'theirs', 'TCP; time-out and trace, validation of input'],
] as const

/** Calls from one process to another, compared on the same runtime. */
export const linkedOf = (versions: Readonly<Record<string, string>>): readonly Linked[] =>
  (['node', 'bun'] as const).flatMap((runtime) =>
    engines.map(([engine, side, what]) => {
      const id = `links-${engine}-${runtime}`
      const library = side === 'ours' ? 'Serval' : `Moleculer ${versions['moleculer'] ?? ''}`
      const on = `${runtime === 'node' ? 'Node' : 'Bun'} ${versions[runtime] ?? ''}`
      const name = `${library}, ${on}: ${what}`
      return { id, info: { id, side, name, group: `links-${runtime}` }, runtime, engine }
    }),
  )

const program = fileURLToPath(new URL('../links/side.ts', import.meta.url))

/** A process that answers lines with lines. */
const start = (runtime: Runtime, ...args: string[]) => {
  const child = spawn(programs[runtime], [program, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async <T>(): Promise<T> => {
    const { done, value } = await lines.next()
    if (done === true) throw new Error(`${args.join(' ')} ended`)
    // Written by links/side.ts.
    return JSON.parse(value) as T
  }
  return {
    next,
    ask: <T>(line: string): Promise<T> => {
      child.stdin.write(`${line}\n`)
      return next<T>()
    },
    stop: () => void child.kill(),
  }
}

const cpuOf = async (side: ReturnType<typeof start>): Promise<number> => {
  const { user, system } = await side.ask<NodeJS.CpuUsage>('')
  return user + system
}

export const measureLinks = async (bench: Bench, linked: readonly Linked[]): Promise<void> => {
  const { seconds } = bench.options
  await interleaved(bench, 'links', linked, async ({ runtime, engine }) => {
    const server = start(runtime, 'serve', engine)
    const client = start(runtime, 'call', engine, await server.next<string>())
    try {
      await client.next()
      await client.ask(String(Math.min(1, seconds)))
      const before = { server: await cpuOf(server), client: await cpuOf(client) }
      const round = await client.ask<Round>(String(seconds))
      const cpu = {
        server: (await cpuOf(server)) - before.server,
        client: (await cpuOf(client)) - before.client,
      }
      return {
        values: {
          'links.rate': round.calls / round.seconds,
          'links.cpu': (cpu.server + cpu.client) / round.calls,
        },
        raw: { ...round, cpu },
      }
    } finally {
      client.stop()
      server.stop()
    }
  })
}
