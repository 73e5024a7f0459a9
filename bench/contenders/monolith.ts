import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Database } from '../machine/postgres.ts'
import type { ContenderInfo } from '../samples.ts'
import type { Carried, Contender } from './contender.ts'

export interface MonolithOptions extends ContenderInfo {
  readonly program: string
  readonly framework: 'fastify' | 'hono'
  /** Its database `postgres` is empty. */
  readonly server: Database
}

const startWithinMs = 30_000

/** Starts the monolith on an empty database. */
export const startMonolith = async (options: MonolithOptions): Promise<Contender> => {
  const folder = await mkdtemp(join(tmpdir(), 'serval-bench-'))
  const { server, program, framework, ...info } = options
  const file = fileURLToPath(new URL(`../monolith/${framework}.ts`, import.meta.url))
  const child = spawn(program, [file], {
    env: {
      ...process.env,
      NODE_ENV: 'production',
      DATABASE_URL: server.url,
      MAILBOX: join(folder, 'mailbox.jsonl'),
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const port = await new Promise<number>((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`${options.id} is not ready`)), startWithinMs)
    child.stdout.on('data', (bytes: Buffer) => {
      const told = /listening (\d+)/.exec(bytes.toString('utf8'))?.[1]
      if (told === undefined) return
      clearTimeout(late)
      resolve(Number(told))
    })
    child.once('exit', (code) => reject(new Error(`${options.id} ended with ${code}`)))
  })
  return {
    ...info,
    store: { server, products: { database: 'postgres', name: 'products' } },
    address: { host: '127.0.0.1', port },
    operatorKey: 'none',
    pid: child.pid ?? 0,
    carried: async () => (await (await fetch(`http://127.0.0.1:${port}/audit`)).json()) as Carried,
    stop: async () => {
      child.kill('SIGKILL')
      await exited
      await server.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
