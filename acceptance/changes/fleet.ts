import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'

const State = z.object({ address: z.string(), key: z.string() })
const Process = z.object({
  name: z.string(),
  role: z.string(),
  pid: z.int(),
  state: z.enum(['starting', 'ready', 'leaving']),
  services: z.array(z.string()),
  edge: z.boolean(),
})
const Status = z.object({ processes: z.array(Process) })

export type FleetProcess = Readonly<z.output<typeof Process>>

/** The supervisor of a fleet, asked over its own address as the commands do. */
export interface Fleet {
  processes(): Promise<readonly FleetProcess[]>
  /** Such as `split` with `{ service }`. Rejects with what the supervisor says. */
  change(operation: string, input: object): Promise<void>
  /** Resolves when so many processes are ready, and none comes or goes. */
  whole(count: number): Promise<void>
}

const wholeWithinMs = 120_000

export const fleetIn = (data: string): Fleet => {
  const file = join(data, 'fleet.json')
  if (!existsSync(file)) throw new Error(`no fleet runs from ${data}`)
  const { address, key } = State.parse(JSON.parse(readFileSync(file, 'utf8')))
  const ask = async (method: string, operation: string, input?: object) => {
    const reply = await fetch(`${address}/fleet/v1/${operation}`, {
      method,
      headers: { 'x-serval-operator': key, 'content-type': 'application/json' },
      ...(input && { body: JSON.stringify(input) }),
    })
    if (!reply.ok) throw new Error(`${operation}: ${reply.status} ${await reply.text()}`)
    return reply
  }
  const processes = async () => Status.parse(await (await ask('GET', 'status')).json()).processes
  return {
    processes,
    change: async (operation, input) => void (await ask('POST', operation, input)),
    whole: async (count) => {
      for (const deadline = performance.now() + wholeWithinMs; ;) {
        const now = await processes()
        if (now.length === count && now.every(({ state }) => state === 'ready')) return
        if (performance.now() > deadline)
          throw new Error(
            `the fleet is not whole again within ${wholeWithinMs / 1_000} s: ${now.map(({ name, state }) => `${name} ${state}`).join(', ')}`,
          )
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
    },
  }
}
