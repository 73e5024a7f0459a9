import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'

/** A host's process, as its supervisor noted it. */
export interface NotedHost {
  readonly id: string
  readonly name: string
  readonly pid: number
}

export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** How a process was started; empty when it has ended. */
const commandLine = (pid: number): string => {
  try {
    return existsSync('/proc/self/cmdline')
      ? readFileSync(`/proc/${pid}/cmdline`, 'utf8')
      : execFileSync('ps', ['-o', 'args=', '-p', String(pid)], { encoding: 'utf8' })
  } catch {
    return ''
  }
}

/** Whether it is still the process that was noted: ids of processes are given again. */
export const runs = ({ id, pid }: NotedHost): boolean =>
  isAlive(pid) && commandLine(pid).includes(id)

const lookAgainMs = 50

/** Asks hosts to drain and end; kills what is left after the time. */
export const endOrphans = async (
  hosts: readonly NotedHost[],
  patienceMs: number,
): Promise<void> => {
  const signal = (name: NodeJS.Signals) => {
    for (const host of hosts) if (runs(host)) process.kill(host.pid, name)
  }
  signal('SIGTERM')
  for (const end = performance.now() + patienceMs; hosts.some(runs); await pause(lookAgainMs))
    if (performance.now() > end) signal('SIGKILL')
}
