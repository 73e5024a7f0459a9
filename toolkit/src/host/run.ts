import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { systemEnv } from '../base/env.ts'
import { failure, ServalError } from '../base/failure.ts'
import { logger } from '../telemetry/log.ts'
import { partsOf, rolesOf } from './foreign.ts'
import { startHost, type RunningHost, type Share } from './host.ts'
import type { RunningEdge } from './open-edge.ts'
import { settingsFrom, type Settings } from './settings.ts'
import { setupFrom, type Setup } from './setup.ts'

export interface RunOptions {
  /** The setups that come with the system, by name. */
  readonly setups: Readonly<Record<string, () => Promise<unknown>>>
  readonly defaultSetup: string
  /** Lines for the end of the help text: what the setups take when nothing is given. */
  readonly helpNotes?: readonly string[]
  /** What a person sees when a host with an edge is ready. */
  readonly banner: (about: Started) => string
}

export interface Started {
  readonly setupName: string
  readonly setup: Setup
  readonly edge: RunningEdge
  readonly tookMs: number
}

const flags = {
  setup: {
    type: 'string',
    short: 's',
    variable: '',
    help: 'a setup’s name, or the path of a setup file',
  },
  port: {
    type: 'string',
    short: 'p',
    variable: 'SERVAL_PORT',
    help: 'the public port; 0 takes a free one',
  },
  'operator-port': {
    type: 'string',
    variable: 'SERVAL_OPERATOR_PORT',
    help: 'the operator’s port, never public',
  },
  data: {
    type: 'string',
    short: 'd',
    variable: 'SERVAL_DATA',
    help: 'the folder for data and secrets',
  },
  services: {
    type: 'string',
    variable: 'SERVAL_SERVICES',
    help: 'of a fleet: all, none, or the names of those to run, by comma',
  },
  edge: {
    type: 'string',
    variable: 'SERVAL_EDGE',
    help: 'of a fleet: true or false, whether this host has the two addresses',
  },
  id: {
    type: 'string',
    variable: 'SERVAL_HOST_ID',
    help: 'of a fleet: this host in the directory',
  },
  plan: {
    type: 'boolean',
    variable: '',
    help: 'prints what the setup’s fleet is made of, as JSON',
  },
  log: { type: 'string', variable: 'SERVAL_LOG', help: 'debug, info, warn or error' },
  help: { type: 'boolean', short: 'h', variable: '', help: 'this text' },
} as const

const helpText = (options: RunOptions) =>
  [
    'Starts the system in this process.',
    '',
    'Usage: npm start -- [options]',
    '',
    ...Object.entries(flags).map(([name, flag]) => {
      const left = `  ${'short' in flag ? `-${flag.short}, ` : '    '}--${name}${flag.type === 'string' ? ' …' : ''}`
      return `${left.padEnd(28)}${flag.help}${flag.variable === '' ? '' : ` (or ${flag.variable})`}`
    }),
    '',
    `Setups: ${Object.keys(options.setups).join(', ')}; the default is ${options.defaultSetup}.`,
    ...(options.helpNotes ?? []),
  ].join('\n')

/** Bun tells of a syntax error in several lines. */
const firstLine = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split('\n', 1)[0] ?? ''

/** A driver is an optional package: whoever uses the setup is told what to install. */
const needed =
  (setup: string) =>
  (cause: unknown): never => {
    const missing = /^Cannot find (?:package|module) '((?:@[\w.-]+\/)?[\w-][\w.-]*)/.exec(
      firstLine(cause),
    )?.[1]
    if (missing === undefined) throw cause
    throw failure(
      'misconfigured',
      `The setup ${setup} needs a package that is not installed: npm install ${missing}`,
      { cause },
    )
  }

const load = async (
  name: string,
  options: RunOptions,
): Promise<{ readonly module: unknown; readonly file: string }> => {
  const known = Object.hasOwn(options.setups, name) ? options.setups[name] : undefined
  if (known !== undefined)
    return { module: await known().catch(needed(name)), file: `the setup ${name}` }
  if (!/[./\\]/.test(name))
    throw failure(
      'misconfigured',
      `There is no setup ${name}; there are ${Object.keys(options.setups).join(', ')}, or give the path of a file`,
    )
  const file = resolve(name)
  try {
    return { module: await import(pathToFileURL(file).href), file: name }
  } catch (cause) {
    throw failure(
      'misconfigured',
      `The setup file ${name} cannot be loaded: ${firstLine(cause).replace(/ imported from .*/, '')}`,
      {
        cause,
      },
    )
  }
}

const parse = (argv: readonly string[]) => {
  try {
    return parseArgs({ args: [...argv], options: flags, strict: true }).values
  } catch (error) {
    const reason = (error instanceof Error ? error.message : String(error))
      .replaceAll('\n', ' ')
      .replace(/\.$/, '')
    throw failure('misconfigured', `${reason}. Run with --help to see the options.`)
  }
}

/** Overwrites the line above itself on a terminal; says nothing elsewhere. */
const teller = (stream: NodeJS.WriteStream) => {
  const clear = () => stream.isTTY && stream.write('\r\u001b[2K')
  return { tell: (doing: string) => void (clear() && stream.write(`  … ${doing}`)), clear }
}

const start = async (
  options: RunOptions,
  argv: readonly string[],
): Promise<(Omit<Started, 'edge'> & { readonly host: RunningHost }) | undefined> => {
  const begun = performance.now()
  const given = parse(argv)
  if (given.help === true) {
    process.stdout.write(`${helpText(options)}\n`)
    return undefined
  }
  const source: Record<string, string | undefined> = { ...process.env }
  const shownAs: Record<string, string> = {}
  for (const [name, flag] of Object.entries(flags)) {
    const value = given[name as keyof typeof given]
    if (flag.variable === '' || typeof value !== 'string') continue
    source[flag.variable] = value
    shownAs[flag.variable] = `--${name} (${flag.variable})`
  }
  const settings = settingsFrom(source, shownAs)
  const env = systemEnv()
  const log = logger({
    env,
    level: settings.level('SERVAL_LOG', 'warn'),
    write: (line) => void process.stderr.write(`${line}\n`),
  })
  const progress = teller(process.stderr)
  const setupName = given.setup ?? options.defaultSetup
  const { module, file } = await load(setupName, options)
  const { name, setup } = setupFrom(module, file, settings)
  if (given.plan === true) {
    process.stdout.write(`${JSON.stringify(planOf(setup))}\n`)
    return undefined
  }
  const share = shareOf(settings, setup)
  try {
    const host = await startHost({
      setup,
      env,
      log,
      ...(share && { share }),
      progress: progress.tell,
    })
    progress.clear()
    return { setupName: name, setup, host, tookMs: performance.now() - begun }
  } catch (error) {
    progress.clear()
    throw error
  }
}

/** What of the system this process is to run; undefined when nothing was said: all of it. */
const shareOf = (settings: Settings, setup: Setup): Share | undefined => {
  const services = settings.text('SERVAL_SERVICES', '')
  const edge = settings.text('SERVAL_EDGE', '')
  if (services === '' && edge === '') return undefined
  const all = partsOf(setup).services.map(({ contract }) => contract.name)
  const listed = services.split(',').map((name) => name.trim())
  return {
    services: ['', 'all'].includes(services) ? all : services === 'none' ? [] : listed,
    edge: settings.flag('SERVAL_EDGE', true),
  }
}

/** For whoever starts a fleet of this setup. */
const planOf = (setup: Setup) => ({
  system: setup.system.name,
  services: partsOf(setup).services.map(({ contract }) => contract.name),
  roles: rolesOf(setup),
})

const onStop = (host: RunningHost) => {
  let stopping = false
  const stop = (signal: string) => {
    if (stopping) process.exit(130)
    stopping = true
    process.stderr.write(`\n  ${signal}: finishing what is under way (once more ends at once)\n`)
    host.drain().then(
      () => process.exit(0),
      (error: unknown) => {
        process.stderr.write(`  the host did not stop cleanly: ${String(error)}\n`)
        process.exit(1)
      },
    )
  }
  process.on('SIGINT', () => stop('stopping'))
  process.on('SIGTERM', () => stop('stopping'))
}

/** The main program of a system: starts a host from the command line, and ends it on SIGINT or SIGTERM. */
export const run = async (
  options: RunOptions,
  argv: readonly string[] = process.argv.slice(2),
): Promise<void> => {
  try {
    const started = await start(options, argv)
    if (started === undefined) return
    const { host, ...about } = started
    onStop(host)
    process.stdout.write(
      host.edge === undefined
        ? `  ready: ${[...host.services.stores.keys()].join(', ')} (${about.setupName}, ${(about.tookMs / 1_000).toFixed(1)} s)\n`
        : options.banner({ ...about, edge: host.edge }),
    )
  } catch (error) {
    const expected = error instanceof ServalError && error.code !== 'internal'
    process.stderr.write(
      expected
        ? `\n  Cannot start: ${error.message}\n\n`
        : `\n  Cannot start: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n\n`,
    )
    process.exit(1)
  }
}
