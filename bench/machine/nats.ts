import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { createInterface } from 'node:readline'

/** Debian puts servers where not every PATH looks. */
const places = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']
const program = places.map((folder) => join(folder, 'nats-server')).find((file) => existsSync(file))

export const noNats = 'no NATS server is installed (apt-get install nats-server)'

export const natsVersion = (): string =>
  program === undefined
    ? 'missing'
    : execFileSync(program, ['--version'], { encoding: 'utf8' }).trim().replace(/^\D+/, '')

export interface Nats {
  readonly url: string
  readonly pid: number
  stop(): Promise<void>
}

/** A NATS server as it comes, on a free port; undefined where none is installed. */
export const startNats = async (): Promise<Nats | undefined> => {
  if (program === undefined) return undefined
  const child = spawn(program, ['--addr', '127.0.0.1', '--port', '-1'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const exited = once(child, 'exit')
  const told: string[] = []
  // Read to the end: a pipe that nobody reads would stop the server.
  const lines = createInterface({ input: child.stderr })
  const port = await new Promise<string>((resolve, reject) => {
    lines.on('line', (line) => {
      told.push(line)
      const found = /Listening for client connections on .*:(\d+)/.exec(line)?.[1]
      if (found !== undefined) resolve(found)
    })
    lines.once('close', () => reject(new Error(`nats-server ended:\n${told.join('\n')}`)))
  })
  return {
    url: `nats://127.0.0.1:${port}`,
    pid: child.pid ?? 0,
    stop: async () => {
      child.kill()
      await exited
    },
  }
}
