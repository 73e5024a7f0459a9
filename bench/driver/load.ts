import { Connection, type Reply } from './connection.ts'

/** A round of load: N connections, each sends its next request when the last one is answered. */
export interface Load {
  readonly host: string
  readonly port: number
  readonly connections: number
  /** The round ends after so many seconds, or so many requests, whichever is first. */
  readonly seconds: number
  readonly requests: number
  readonly expect: number
}

export interface Round {
  /** Replies with the status that was expected. */
  readonly answered: number
  /** Other replies by status, and errors by their message. */
  readonly failed: Readonly<Record<string, number>>
  /** One body of a reply with an unexpected status, to tell what went wrong. */
  readonly complaint?: string
  readonly seconds: number
  readonly ms: { readonly p50: number; readonly p99: number; readonly max: number }
  /** Processor seconds of this driver. */
  readonly driverCpu: number
}

const quantile = (sorted: Float64Array, part: number): number =>
  sorted.length === 0
    ? 0
    : (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0)

/** Runs a round; `next` makes the bytes of each request. */
export const runLoad = async (load: Load, next: () => string): Promise<Round> => {
  const { host, port, connections, expect } = load
  const open = await Promise.all(
    Array.from({ length: connections }, () => Connection.open(host, port)),
  )
  const latencies: number[] = []
  const failed: Record<string, number> = {}
  let complaint: string | undefined
  let sent = 0
  const cpuBefore = process.cpuUsage()
  const begun = performance.now()
  const until = begun + load.seconds * 1_000
  let last = begun

  const loop = (connection: Connection) =>
    new Promise<void>((resolve) => {
      let at = 0
      const step = () => {
        at = performance.now()
        if (at >= until || sent >= load.requests) return resolve()
        sent += 1
        connection.send(next(), answered, broken)
      }
      const answered = ({ status, body }: Reply) => {
        last = performance.now()
        if (status === expect) latencies.push(last - at)
        else {
          failed[status] = (failed[status] ?? 0) + 1
          complaint ??= body.toString('utf8').slice(0, 500)
        }
        step()
      }
      const broken = (error: Error) => {
        failed[error.message] = (failed[error.message] ?? 0) + 1
        resolve()
      }
      step()
    })

  await Promise.all(open.map(loop))
  const cpu = process.cpuUsage(cpuBefore)
  for (const connection of open) connection.close()
  const sorted = Float64Array.from(latencies).sort()
  return {
    answered: latencies.length,
    failed,
    ...(complaint === undefined ? {} : { complaint }),
    seconds: (last - begun) / 1_000,
    ms: { p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99), max: sorted.at(-1) ?? 0 },
    driverCpu: (cpu.user + cpu.system) / 1e6,
  }
}
