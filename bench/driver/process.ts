import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Round } from './load.ts'
import type { Command } from './main.ts'

export interface Driver {
  run(command: Command): Promise<Round>
  stop(): void
}

/** Starts the driver in a process of its own, on the given runtime. */
export const startDriver = (program: string): Driver => {
  const file = fileURLToPath(new URL('./main.ts', import.meta.url))
  const child = spawn(program, [file], { stdio: ['pipe', 'pipe', 'inherit'] })
  const replies = createInterface({ input: child.stdout })
  let waiting: { resolve(round: Round): void; reject(error: Error): void } | undefined
  replies.on('line', (line) => waiting?.resolve(JSON.parse(line) as Round))
  child.once('exit', (code) => waiting?.reject(new Error(`the driver ended with ${code}`)))
  return {
    run: (command) =>
      new Promise((resolve, reject) => {
        waiting = { resolve, reject }
        child.stdin.write(`${JSON.stringify(command)}\n`)
      }),
    stop: () => void child.kill(),
  }
}
