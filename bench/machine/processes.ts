import { readdirSync, readFileSync } from 'node:fs'

/*
 * What processes used, from Linux's /proc. A tick of its clock is a hundredth of a second: `sysconf(_SC_CLK_TCK)` is 100 on
 * every Linux that Node and Bun run on.
 */

const ticksPerSecond = 100

interface Stat {
  readonly parent: number
  /** Seconds, of user and system. */
  readonly cpu: number
  /** The same of children that have ended. */
  readonly endedChildren: number
}

const statOf = (pid: number): Stat | undefined => {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The second field is the program's name in parentheses, and may hold blanks.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    const at = (n: number) => Number(fields[n - 3])
    return {
      parent: at(4),
      cpu: (at(14) + at(15)) / ticksPerSecond,
      endedChildren: (at(16) + at(17)) / ticksPerSecond,
    }
  } catch {
    return undefined
  }
}

export const parentOf = (pid: number): number => statOf(pid)?.parent ?? 0

const childrenOf = (pid: number): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((one) => parentOf(one) === pid)

/** Processor seconds of a process, of its children, and of those that have ended. */
export const cpuOf = (pid: number): number => {
  const own = statOf(pid)
  if (own === undefined) return 0
  return childrenOf(pid).reduce(
    (sum, child) => sum + (statOf(child)?.cpu ?? 0),
    own.cpu + own.endedChildren,
  )
}

/** Resident memory of a process and of its children, in MiB. */
export const residentMib = (pid: number): number =>
  [pid, ...childrenOf(pid)].reduce((sum, one) => sum + residentOf(one), 0)

const residentOf = (pid: number): number => {
  const text = readFileSync(`/proc/${pid}/status`, 'latin1')
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(text)?.[1] ?? 0) / 1_024
}

/** Processor seconds of the whole machine, all cores together, since it started. */
export const cpuOfMachine = (): number => {
  const line = /^cpu +(.*)$/m.exec(readFileSync('/proc/stat', 'latin1'))?.[1] ?? ''
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = line
    .split(' ')
    .map(Number)
  return (user + nice + system + irq + softirq + steal) / ticksPerSecond
}
