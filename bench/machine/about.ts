import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { natsVersion } from './nats.ts'

export const root: string = fileURLToPath(new URL('../..', import.meta.url))

/** The runtimes that come with the repository. */
export const programs = {
  node: join(root, 'node_modules/.bin/node'),
  bun: join(root, 'node_modules/.bin/bun'),
} as const

export type Runtime = keyof typeof programs

/** Whether the packages are there that only the bench needs; it is no workspace, so that nobody else installs them. */
export const installed: boolean = ['fastify', 'hono', 'moleculer', '@nestjs/core'].every((name) =>
  existsSync(join(root, 'bench/node_modules', name)),
)
export const notInstalled = 'the packages of the bench are missing: npm ci --prefix bench'

const said = (program: string, ...args: string[]): string => {
  try {
    return execFileSync(program, args, {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  } catch {
    return ''
  }
}

const packageVersion = (name: string): string => {
  const places = [join(root, 'bench/node_modules'), join(root, 'node_modules')]
  const file = places.map((place) => join(place, name, 'package.json')).find(existsSync)
  if (file === undefined) return 'missing'
  return String((JSON.parse(readFileSync(file, 'utf8')) as { version?: string }).version)
}

const libraries = [
  'fastify',
  'hono',
  'moleculer',
  '@nestjs/microservices',
  'nats',
  '@nats-io/transport-node',
  'postgres',
  'zod',
  'jose',
  '@node-rs/argon2',
  '@electric-sql/pglite',
]

export const versions = (): Record<string, string> => ({
  node: said(programs.node, '--version').replace(/^v/, ''),
  bun: said(programs.bun, '--version'),
  'nats-server': natsVersion(),
  ...Object.fromEntries(libraries.map((name) => [name, packageVersion(name)])),
})

/** The commit that was measured; `+` when files differ from it. */
export const commit = (): string => {
  const changed = said('git', 'status', '--porcelain', '--', 'toolkit', 'shop', 'setups', 'bench')
  return `${said('git', 'rev-parse', '--short', 'HEAD')}${changed === '' ? '' : '+'}`
}

export const machine = (): Record<string, string> => {
  const all = cpus()
  return {
    processor: all[0]?.model.trim() ?? '',
    cores: String(all.length),
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    kernel: `${process.platform} ${release()}`,
    'load at the start': loadavg()[0]?.toFixed(2) ?? '',
  }
}
