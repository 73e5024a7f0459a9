import { execFile, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { root } from '../machine/about.ts'
import type { Database } from '../machine/postgres.ts'
import type { ContenderInfo } from '../samples.ts'
import type { Carried, Contender } from './contender.ts'

export interface ShopOptions extends ContenderInfo {
  readonly program: string
  /** Without one: the setup kitten, embedded. */
  readonly server?: Database
  /** A setup of many processes, instead of the one of big-cat. */
  readonly fleet?: 'cheetah' | 'tiger'
}

const startWithinMs = 60_000
const cli = 'toolkit/src/cli/main.ts'

export interface Shop extends Contender {
  /** Has a fleet run so many processes of a role, and waits until it does. */
  scale(role: string, copies: number): Promise<void>
}

/** Starts the shop as a person would, on free ports and in a folder that goes away. */
export const startShop = async (options: ShopOptions): Promise<Shop> => {
  const data = await mkdtemp(join(tmpdir(), 'serval-bench-'))
  const { server, program, fleet, ...info } = options
  const setup = fleet ?? (server === undefined ? 'kitten' : 'big-cat')
  const main = fleet === undefined ? ['shop/main.ts'] : [cli, 'up']
  const ports = ['--port', '0', '--operator-port', '0']
  const child = spawn(program, [...main, '--setup', setup, ...ports, '--data', data], {
    cwd: root,
    env: { ...process.env, SERVAL_DATABASE_URL: server?.url ?? '', NODE_ENV: 'production' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  let stopping = false
  child.stderr.on('data', (bytes: Buffer) => void (stopping || process.stderr.write(bytes)))
  const banner = await new Promise<string>((resolve, reject) => {
    let said = ''
    const late = setTimeout(
      () => reject(new Error(`${options.id} is not ready:\n${said}`)),
      startWithinMs,
    )
    child.stdout.on('data', (bytes: Buffer) => {
      said += bytes.toString('utf8')
      if (!said.includes('README.md')) return
      clearTimeout(late)
      resolve(said)
    })
    child.once('exit', (code) => reject(new Error(`${options.id} ended with ${code}:\n${said}`)))
  })
  const found = (pattern: RegExp) => pattern.exec(banner)?.[1] ?? ''
  const port = Number(found(/Shop +http:\/\/127\.0\.0\.1:(\d+)/))
  const operator = found(/Operator +(http:\S+)/)
  const operatorKey = found(/x-serval-operator: (\S+)/)

  const ask = async (path: string): Promise<unknown> => {
    const response = await fetch(operator + path, { headers: { 'x-serval-operator': operatorKey } })
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
    return response.json()
  }
  let stopped: Promise<void> | undefined
  const stop = async () => {
    stopping = true
    child.kill('SIGINT')
    await exited
    await server?.stop()
    await rm(data, { recursive: true, force: true })
  }
  return {
    ...info,
    ...(server === undefined
      ? {}
      : { store: { server, products: { database: 'serval_catalog', name: 'product' } } }),
    address: { host: '127.0.0.1', port },
    operatorKey,
    pid: child.pid ?? 0,
    carried: () => carried(ask),
    scale: async (role, copies) => {
      const args = [cli, 'scale', `${role}=${copies}`, '--data', data]
      await promisify(execFile)(program, args, { cwd: root })
    },
    stop: () => (stopped ??= stop()),
  }
}

interface OrderAudit {
  readonly statuses: readonly { readonly status: string; readonly orders: number }[]
}
interface NotificationAudit {
  readonly sent: readonly { readonly kind: string; readonly notifications: number }[]
}
interface AnalyticsAudit {
  readonly orders?: number
}

const carried = async (ask: (path: string) => Promise<unknown>): Promise<Carried> => {
  const { statuses } = (await ask('/operator/v1/orders')) as OrderAudit
  const { sent } = (await ask('/operator/v1/notifications')) as NotificationAudit
  const counts = await ask('/operator/v1/analytics').catch(() => undefined)
  return {
    confirmed: statuses.find(({ status }) => status === 'confirmed')?.orders ?? 0,
    notified: sent.find(({ kind }) => kind === 'order-confirmed')?.notifications ?? 0,
    counted: (counts as AnalyticsAudit | undefined)?.orders,
  }
}
