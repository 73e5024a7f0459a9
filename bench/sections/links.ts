import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Round } from '../calls/loop.ts'
import { programs, type Runtime } from '../machine/about.ts'
import { cores } from '../machine/cores.ts'
import { noNats, startNats } from '../machine/nats.ts'
import { cpuOf } from '../machine/processes.ts'
import { interleaved, type Bench } from '../measuring.ts'
import type { ContenderInfo } from '../samples.ts'

export interface Linked {
  readonly id: string
  readonly info: ContenderInfo
  readonly runtime: Runtime
  readonly engine: string
  /** Whether a broker is between the two processes. */
  readonly nats: boolean
}

const all = ['node', 'bun'] as const
const node = ['node'] as const

const engines = [
  ['wire', 'Serval', all, 'frames over TCP; all guards, validation both ways, deadline, identity'],
  ['http', 'Serval', all, 'HTTP/1.1; all guards, validation both ways, deadline, identity'],
  ['moleculer', 'moleculer', all, 'TCP; time-out and trace, validation of input'],
  ['moleculer-nats', 'moleculer', node, 'NATS; time-out and trace, validation of input'],
  ['nest', '@nestjs/microservices', node, 'TCP; as it comes: no time-out, trace or validation'],
  ['nest-nats', '@nestjs/microservices', node, 'NATS; as it comes: no time-out, trace or validation'], // prettier-ignore
] as const

/** Calls from one process to another, all compared with the best of theirs on whichever runtime. */
export const linkedOf = (versions: Readonly<Record<string, string>>): readonly Linked[] =>
  all.flatMap((runtime) =>
    engines
      .filter(([, , runtimes]) => runtimes.some((one) => one === runtime))
      .map(([engine, library, , what]) => {
        const id = `links-${engine}-${runtime}`
        const on = `${runtime === 'node' ? 'Node' : 'Bun'} ${versions[runtime] ?? ''}`
        const side = library === 'Serval' ? 'ours' : 'theirs'
        const named = side === 'ours' ? library : `${library} ${versions[library] ?? ''}`
        const info = { id, side, name: `${named}, ${on}: ${what}`, group: 'links' } as const
        return { id, info, runtime, engine, nats: engine.endsWith('-nats') }
      }),
  )

const program = fileURLToPath(new URL('../links/side.ts', import.meta.url))

/** A process on a core of its own that answers lines with lines. */
const start = (core: number, runtime: Runtime, ...args: string[]) => {
  const child = spawn('taskset', ['-c', String(core), programs[runtime], program, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const failed = new Promise<never>((_, reject) => child.once('error', reject))
  failed.catch(() => undefined)
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async <T>(): Promise<T> => {
    const { done, value } = await Promise.race([lines.next(), failed])
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

const cpuOfSide = async (side: ReturnType<typeof start>): Promise<number> => {
  const { user, system } = await side.ask<NodeJS.CpuUsage>('')
  return user + system
}

/** Answers who was measured: without a NATS server those that call through it are left out. */
export const measureLinks = async (
  bench: Bench,
  linked: readonly Linked[],
): Promise<readonly Linked[]> => {
  const { seconds } = bench.options
  const nats = linked.some((one) => one.nats) ? await startNats() : undefined
  if (nats !== undefined) bench.atEnd(nats.stop)
  const measured = linked.filter((one) => !one.nats || nats !== undefined)
  for (const { id } of linked.filter((one) => !measured.includes(one)))
    bench.say(`${id} is left out: ${noNats}`)

  const [first = 0, ...others] = cores()
  const cpuOfBroker = (engine: Linked) =>
    engine.nats && nats !== undefined ? cpuOf(nats.pid) * 1e6 : 0

  await interleaved(bench, 'links', measured, async (one) => {
    const { runtime, engine } = one
    const server = start(first, runtime, 'serve', engine, one.nats ? (nats?.url ?? '') : '')
    const client = start(others[0] ?? first, runtime, 'call', engine, await server.next<string>())
    const usedNow = async () => ({
      server: await cpuOfSide(server),
      client: await cpuOfSide(client),
      broker: cpuOfBroker(one),
    })
    try {
      await client.next()
      await client.ask(String(Math.min(1, seconds)))
      const before = await usedNow()
      const round = await client.ask<Round>(String(seconds))
      const now = await usedNow()
      const cpu = {
        server: now.server - before.server,
        client: now.client - before.client,
        broker: now.broker - before.broker,
      }
      return {
        values: {
          'links.rate': round.calls / round.seconds,
          'links.cpu': (cpu.server + cpu.client + cpu.broker) / round.calls,
          'links.cpu.client': cpu.client / round.calls,
          'links.cpu.server': cpu.server / round.calls,
          'links.p50': round.ms.p50,
          'links.p99': round.ms.p99,
        },
        raw: { ...round, cpu },
      }
    } finally {
      client.stop()
      server.stop()
    }
  })
  return measured
}
