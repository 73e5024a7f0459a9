import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

export interface MortalShopOptions {
  readonly setup: string
  /** The folder that outlives the process. */
  readonly data: string
  readonly env?: Readonly<Record<string, string>>
}

const main = fileURLToPath(new URL('../../main.ts', import.meta.url))

/** A shop in a process of its own, to be killed and started again on the same data and the same ports. */
export class MortalShop {
  readonly #options: MortalShopOptions
  #process: ChildProcess | undefined
  #ports = { public: '0', operator: '0' }
  address = ''
  operator = ''
  operatorKey = ''
  /** What it printed on stderr, over all its lives. */
  errors = ''

  constructor(options: MortalShopOptions) {
    this.#options = options
  }

  /** Resolves with the milliseconds until it was ready. */
  async start(): Promise<number> {
    const begun = performance.now()
    const { setup, data, env } = this.#options
    const ports = ['--port', this.#ports.public, '--operator-port', this.#ports.operator]
    const child = spawn(process.execPath, [main, '--setup', setup, '--data', data, ...ports], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    })
    this.#process = child
    let printed = ''
    child.stderr.on('data', (chunk: Buffer) => (this.errors += chunk.toString()))
    await new Promise<void>((resolve, reject) => {
      child.once('exit', (code) =>
        reject(
          new Error(
            `the shop ended with ${code} before it was ready: ${this.errors.slice(-2_000)}`,
          ),
        ),
      )
      child.stdout.on('data', (chunk: Buffer) => {
        printed += chunk.toString()
        if (printed.includes('\n  Next')) resolve()
      })
    })
    const found = (pattern: RegExp) => {
      const text = pattern.exec(printed)?.[1]
      if (text === undefined)
        throw new Error(`the shop's greeting lacks ${pattern.source}: ${printed}`)
      return text
    }
    this.address = found(/Shop\s+(http:\S+)/)
    this.operator = found(/Operator\s+(http:\S+)/)
    this.operatorKey = found(/x-serval-operator: (\S+)/)
    this.#ports = { public: new URL(this.address).port, operator: new URL(this.operator).port }
    return performance.now() - begun
  }

  /** SIGKILL: nothing in it learns of its end. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  /** SIGTERM: it finishes what it does. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM')
  }

  async #end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#process
    this.#process = undefined
    if (child === undefined || child.exitCode !== null) return
    const ended = once(child, 'exit')
    child.kill(signal)
    await ended
  }
}
