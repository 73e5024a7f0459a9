import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import { z } from 'zod'
import { systemEnv } from '../../base/env.ts'
import { failure } from '../../base/failure.ts'
import { listenHttp } from '../../engines/http/index.ts'
import { controlServer } from '../../fleet/control.ts'
import { planOf, type Plan } from '../../fleet/plan.ts'
import { startProcess } from '../../fleet/processes.ts'
import { supervisor } from '../../fleet/supervisor.ts'
import { logger } from '../../telemetry/log.ts'
import type { Command, Given } from '../command.ts'
import type { Terminal } from '../terminal.ts'
import { lateCompiler } from './late-compiler.ts'
import { endOrphans } from './orphans.ts'
import {
  claimFolder,
  dataOf,
  dataOption,
  forgetState,
  writeState,
  type FleetState,
} from './state.ts'

const Package = z.object({ serval: z.object({ main: z.string() }).optional() })

const mainOf = (given: Given): string => {
  const named = given.text('main')
  if (named !== undefined) return named
  const { serval } = existsSync('package.json')
    ? Package.parse(JSON.parse(readFileSync('package.json', 'utf8')))
    : {}
  if (serval?.main !== undefined) return serval.main
  if (existsSync('main.ts')) return 'main.ts'
  throw failure(
    'misconfigured',
    'Which program is it? Name it with --main, or in package.json: "serval": { "main": "main.ts" }',
  )
}

const Planned = z.object({
  services: z.array(z.string()),
  roles: z
    .record(
      z.string(),
      z.object({
        services: z.union([z.literal('all'), z.array(z.string())]),
        edge: z.boolean(),
        replicas: z.int().min(0).default(1),
      }),
    )
    .optional(),
})

type Variables = Readonly<Record<string, string>>

/** Node keeps compiled code there, by what it was compiled from: a process that starts later takes 40 % less of a core. */
const compiledIn = (data: string): Variables =>
  process.env['NODE_COMPILE_CACHE'] === undefined
    ? { NODE_COMPILE_CACHE: resolve(data, 'compiled') }
    : {}

/** Asks the program what its setup is made of. */
const planIn = async (
  main: string,
  flags: readonly string[],
  variables: Variables,
): Promise<Plan> => {
  try {
    const env = { ...process.env, ...variables }
    const command = [main, ...flags, '--plan']
    const { stdout } = await promisify(execFile)(process.execPath, command, { env })
    const { services, roles } = Planned.parse(JSON.parse(stdout))
    if (roles === undefined)
      throw failure('misconfigured', 'this setup is one process; start it with npm start')
    return planOf(services, roles)
  } catch (error) {
    if (!(error instanceof Error && 'stderr' in error)) throw error
    throw failure(
      'misconfigured',
      String(error.stderr)
        .trim()
        .replace(/^Cannot start: /, ''),
      { cause: error },
    )
  }
}

/** The process whose own words, where the edge is, are shown: the first with an edge. */
const edgeIn = (plan: Plan): string => {
  const [role = ''] = Object.entries(plan).find(([, { edge }]) => edge) ?? []
  return `${role}.1`
}

/** A free port for 0: every edge listens on the same. */
const portFor = async (text: string | undefined): Promise<string | undefined> => {
  if (text !== '0') return text
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? String(address.port) : text
}

/** Where several processes listen on a port, Linux gives each new connection to one of them; when that one closes first, only this setting hands it on. */
const mayCutConnections = (): boolean => {
  try {
    return readFileSync('/proc/sys/net/ipv4/tcp_migrate_req', 'utf8').trim() === '0'
  } catch {
    // Another system, or an old kernel: nothing can be set there.
    return false
  }
}

const nameWidth = 18

const run = async (given: Given, terminal: Terminal): Promise<number> => {
  const data = dataOf(given)
  const main = mainOf(given)
  const release = claimFolder(data)
  try {
    return await runIn(data, main, given, terminal)
  } finally {
    release()
  }
}

const runIn = async (
  data: string,
  main: string,
  given: Given,
  terminal: Terminal,
): Promise<number> => {
  const setup = given.text('setup')
  const port = await portFor(given.text('port') ?? process.env['SERVAL_PORT'])
  const operatorPort = await portFor(
    given.text('operator-port') ?? process.env['SERVAL_OPERATOR_PORT'],
  )
  const flags = [
    ...(setup === undefined ? [] : ['--setup', setup]),
    ...(port === undefined ? [] : ['--port', port]),
    ...(operatorPort === undefined ? [] : ['--operator-port', operatorPort]),
    ...['--data', data],
  ]
  terminal.progress('reading the setup')
  const compiled = compiledIn(data)
  const plan = await planIn(main, flags, compiled)
  terminal.progress('')
  const env = systemEnv()
  const key = Buffer.from(env.bytes(24)).toString('base64url')
  const say = (text: string) => terminal.out(`  ${text}`)
  // Node has an option to share a port; Bun (1.4.5) does so in what it takes for a cluster's worker.
  const shown = edgeIn(plan)
  const sharing =
    process.versions['bun'] === undefined
      ? { SERVAL_SHARED_PORTS: 'true' }
      : { SERVAL_SHARED_PORTS: 'true', NODE_UNIQUE_ID: '1' }
  const edges = Object.values(plan).some((role) => role.edge)
  if (edges && mayCutConnections())
    say(
      'net.ipv4.tcp_migrate_req is 0: when an edge is replaced, connections that it has not yet taken are cut; sysctl -w net.ipv4.tcp_migrate_req=1 hands them on',
    )
  const fleet = supervisor({
    env,
    plan,
    say,
    changed: (hosts) => note(hosts.map(({ id, name, pid }) => ({ id, name, pid }))),
    start: (about) =>
      startProcess(about, {
        env,
        command: [
          process.execPath,
          main,
          ...flags,
          ...['--services', about.runs.services.join(',') || 'none'],
          ...['--edge', String(about.runs.edge)],
          ...['--id', about.id],
        ],
        variables: {
          ...lateCompiler(process.env),
          ...compiled,
          SERVAL_DIRECTORY: address,
          SERVAL_FLEET_KEY: key,
          ...(about.runs.edge ? sharing : {}),
        },
        line: (text) => {
          if (text.startsWith('{')) terminal.err(`${about.name.padEnd(nameWidth)} ${text}`)
          else if (about.name === shown && !isLeaving(about.name)) terminal.out(text)
        },
      }),
  })
  /** Its words on how to end it are for who runs it alone. */
  const isLeaving = (process: string) =>
    fleet.processes().some(({ name, state }) => name === process && state === 'leaving')
  /** Whether somebody wants it to end: what has not come up by then has not failed. */
  let asked = false
  let end: () => void = () => undefined
  const ended = new Promise<void>((resolve) => (end = resolve))
  const server = await controlServer(
    {
      env,
      log: logger({ env, level: 'warn', write: (line) => void process.stderr.write(`${line}\n`) }),
      setup: setup ?? 'default',
      supervisor: fleet,
      key,
      ending: () => (asked = true),
      // After the reply has left.
      ended: () => void env.after(100, end),
    },
    listenHttp,
  )
  const address = `http://127.0.0.1:${server.port}`
  let noted: FleetState['hosts'] = []
  const note = (hosts: FleetState['hosts']) => {
    noted = hosts
    writeState(data, { address, key, pid: process.pid, hosts })
  }
  note([])
  let stopping = false
  const stop = () => {
    if (stopping) return void endOrphans(noted, 0).then(() => process.exit(130))
    stopping = asked = true
    terminal.out('\n  stopping: every process finishes what is under way (once more ends at once)')
    void fleet.down().then(end)
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  try {
    const processes = Object.values(plan).reduce((sum, { replicas }) => sum + replicas, 0)
    say(
      `starting ${processes} ${processes === 1 ? 'process' : 'processes'}: ${Object.keys(plan).join(', ')}`,
    )
    const begun = env.now()
    await fleet.up()
    say(
      `the fleet is ready (${((env.now() - begun) / 1_000).toFixed(1)} s). Ctrl+C, or serval down, ends it.`,
    )
    await ended
    say('the fleet has ended')
    return 0
  } catch (error) {
    await fleet.down()
    if (!asked) throw error
    await ended
    say('the fleet has ended')
    return 0
  } finally {
    forgetState(data)
    await server.close()
  }
}

export const up: Command = {
  name: 'up',
  takes: '',
  arguments: { least: 0, most: 0 },
  summary: 'Runs a setup as a fleet of processes on this machine, and watches over them',
  notes: [
    'The program is named by --main, or by package.json: "serval": { "main": "shop/main.ts" }.',
    'Other commands for a running fleet: status, scale, split, merge, roll, down.',
  ],
  options: {
    setup: {
      type: 'string',
      short: 's',
      value: 'NAME',
      help: 'a setup’s name, or the path of a setup file',
    },
    main: { type: 'string', value: 'FILE', help: 'the program that runs a host' },
    port: { type: 'string', short: 'p', value: 'N', help: 'the public port; 0 takes a free one' },
    'operator-port': { type: 'string', value: 'N', help: 'the operator’s port, never public' },
    data: dataOption,
  },
  run,
}
