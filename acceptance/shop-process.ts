import { spawn, type ChildProcess, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

export interface ShopOptions {
  readonly data: string
  readonly setup?: string
  readonly args?: readonly string[]
  /** Beside this process's own variables; undefined takes one away. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** The main program, in a module that does something else before; default the shop's own. */
  readonly main?:
    'acceptance/own-clock.ts' | 'acceptance/soak/measured.ts' | 'toolkit/src/cli/main.ts'
  /** Where it runs; default this repository. */
  readonly folder?: string
  /** Before the flags: a command of the main program. */
  readonly command?: string
  /** Options of the runtime itself. */
  readonly runtimeArgs?: readonly string[]
}

export interface Ended {
  /** Null after a signal that nobody handled. */
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
  readonly tookMs: number
}

/** Taken from the one who runs the tests, they would decide what is tested. */
const ours = ['SERVAL_LOG', 'SERVAL_DATA', 'SERVAL_HOST', 'SERVAL_PORT', 'SERVAL_OPERATOR_PORT', 'SERVAL_DATABASE_URL', 'SERVAL_DATABASE_PREFIX', 'SERVAL_SMTP_URL', 'SERVAL_DEVELOPMENT', 'SERVAL_CORS_ORIGINS', 'SERVAL_TRUSTED_PROXIES', 'SERVAL_BEHIND_TLS'] // prettier-ignore

/** Node strips the types of each file at each start, unless it may keep the result. */
const compiled = join(root, 'node_modules/.cache/serval/compiled')

/** What was started here, to be killed if a test fails in the middle. */
const alive = new Set<ChildProcess>()

/** The shop in a process of its own, on the runtime that runs the test. */
export class ShopProcess {
  address = ''
  operator = ''
  operatorKey = ''
  stdout = ''
  stderr = ''
  readonly readyInMs: Promise<number>
  readonly ended: Promise<Ended>
  readonly #child: ChildProcessWithoutNullStreams

  constructor(options: ShopOptions) {
    const { data, setup, args = [], env = {}, main = 'shop/main.ts', runtimeArgs = [] } = options
    const command = options.command === undefined ? [] : [options.command]
    const begun = performance.now()
    const given = Object.fromEntries(ours.map((name) => [name, undefined]))
    const flags = [
      ...(setup === undefined ? [] : ['--setup', setup]),
      ...(args.includes('--port') ? [] : ['--port', '0']),
      ...(args.includes('--operator-port') ? [] : ['--operator-port', '0']),
      ...['--data', data],
      ...args,
    ]
    const child = spawn(process.execPath, [...runtimeArgs, main, ...command, ...flags], {
      cwd: options.folder ?? root,
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, NODE_COMPILE_CACHE: compiled, ...given, ...env },
    })
    this.#child = child
    alive.add(child)
    const took = () => performance.now() - begun
    let ready: (ms: number) => void = () => undefined
    let never: (error: Error) => void = () => undefined
    this.readyInMs = new Promise((resolve, reject) => {
      ready = resolve
      never = reject
    })
    // Nobody waits for a shop to be ready that is expected to refuse to start.
    this.readyInMs.catch(() => undefined)
    child.stderr.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()))
    child.stdout.on('data', (chunk: Buffer) => {
      this.stdout += chunk.toString()
      if (this.stdout.includes('\n  Next')) ready((this.#readBanner(), took()))
    })
    this.ended = new Promise((resolve) => {
      child.once('close', (code) => {
        alive.delete(child)
        never(new Error(`the shop ended with ${code} before it was ready: ${this.stderr}`))
        resolve({ code, stdout: this.stdout, stderr: this.stderr, tookMs: took() })
      })
    })
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** A line on its stdin, to which the module listens that it was started with. */
  tell(line: string): void {
    this.#child.stdin.write(`${line}\n`)
  }

  signal(name: 'SIGTERM' | 'SIGINT' | 'SIGKILL'): void {
    this.#child.kill(name)
  }

  /** SIGTERM, and how it ended. */
  async stop(): Promise<Ended> {
    this.signal('SIGTERM')
    return this.ended
  }

  #readBanner(): void {
    const found = (pattern: RegExp) => pattern.exec(this.stdout)?.[1] ?? ''
    this.address = found(/Shop\s+(http:\S+)/)
    this.operator = found(/Operator\s+(http:\S+)/)
    this.operatorKey = found(/x-serval-operator: (\S+)/)
  }
}

/** A shop that takes requests. */
export const startShop = async (options: ShopOptions): Promise<ShopProcess> => {
  const shop = new ShopProcess(options)
  await shop.readyInMs
  return shop
}

/** Kills what is still running, by its id. */
export const killAll = async (): Promise<void> => {
  const ends = [...alive].map((child) => new Promise((resolve) => child.once('close', resolve)))
  for (const child of alive) child.kill('SIGKILL')
  await Promise.all(ends)
}

/** Every suite pays with cards whose acquirer is away at first. */
const retries = '"calls were made again"'

/** The lines of a log whose messages are not among those that a test brings about. */
export const unexpectedLines = (stderr: string, expected: RegExp): readonly string[] =>
  stderr
    .split('\n')
    .filter((line) => line.startsWith('{') && !line.includes(retries) && !expected.test(line))
