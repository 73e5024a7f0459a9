import { spawn, type ChildProcess } from 'node:child_process'
import type { Env } from '../base/env.ts'
import type { PlannedRole } from './plan.ts'

export interface ProcessOptions {
  readonly env: Env
  /** What is run, such as a runtime and its main program. */
  readonly command: readonly [program: string, ...args: string[]]
  readonly variables: Readonly<Record<string, string | undefined>>
  /** Each line that it writes. */
  readonly line: (text: string) => void
}

export type ProcessState = 'starting' | 'ready' | 'leaving'

/** One host's process. */
export interface HostProcess {
  readonly id: string
  readonly name: string
  readonly role: string
  readonly runs: PlannedRole
  readonly since: number
  readonly pid: number
  state: ProcessState
  /** Resolves with what ended it, once. */
  readonly ended: Promise<string>
  /** Its last lines, to say why it failed. */
  readonly last: readonly string[]
  /** Asks it to drain and end; after `patienceMs` it is killed. */
  stop(patienceMs: number): Promise<void>
  kill(): void
}

const keptLines = 20

const lines = (child: ChildProcess, told: (line: string) => void) => {
  for (const stream of [child.stdout, child.stderr]) {
    let rest = ''
    stream?.setEncoding('utf8').on('data', (text: string) => {
      const parts = (rest + text).split('\n')
      rest = parts.pop() ?? ''
      for (const part of parts) if (part.trim() !== '') told(part)
    })
  }
}

export const startProcess = (
  about: {
    readonly id: string
    readonly name: string
    readonly role: string
    readonly runs: PlannedRole
  },
  { env, command, variables, line }: ProcessOptions,
): HostProcess => {
  const [program, ...args] = command
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...variables },
    // Ctrl+C is for the supervisor, which has them drain in their order.
    detached: true,
  })
  const last: string[] = []
  lines(child, (text) => {
    last.push(text)
    if (last.length > keptLines) last.shift()
    line(text)
  })
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('exit', (code, signal) =>
      resolve(signal === null ? `it ended with ${code ?? 0}` : `it was ended by ${signal}`),
    )
  })
  const kill = (signal: NodeJS.Signals = 'SIGKILL') => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal)
  }
  return {
    ...about,
    since: env.now(),
    pid: child.pid ?? 0,
    state: 'starting',
    ended,
    last,
    stop: async (patienceMs) => {
      kill('SIGTERM')
      const forget = env.after(patienceMs, kill)
      await ended
      forget()
    },
    kill,
  }
}
