// The driver's process: a command a line comes in on standard input, the round's result goes out as a line.

import { createInterface } from 'node:readline'
import { runLoad, type Load } from './load.ts'
import { expectedStatus, requestsOf, type Target, type Traffic } from './requests.ts'

export interface Command {
  readonly target: Target
  readonly load: Pick<Load, 'connections' | 'seconds' | 'requests'>
  readonly traffic: Traffic
}

const lines = createInterface({ input: process.stdin })
for await (const line of lines) {
  // Our own parent wrote it.
  const { target, load, traffic } = JSON.parse(line) as Command
  const { host, port } = target
  const next = requestsOf(traffic, target)
  const round = await runLoad({ ...load, host, port, expect: expectedStatus[traffic.kind] }, next)
  process.stdout.write(`${JSON.stringify(round)}\n`)
}
