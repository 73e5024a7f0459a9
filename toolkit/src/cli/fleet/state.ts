import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { failure } from '../../base/failure.ts'
import type { Client } from '../../contract/index.ts'
import { fleet } from '../../fleet/index.ts'
import { httpClient } from '../../link/http-client.ts'
import type { CommandOption, Given } from '../command.ts'

/** What a running fleet leaves in its data folder, so that commands find its supervisor. Only its owner can read it. */
const FleetState = z.object({ address: z.string(), key: z.string(), pid: z.int() })
export type FleetState = Readonly<z.output<typeof FleetState>>

export const dataOption: CommandOption = {
  type: 'string',
  short: 'd',
  value: 'FOLDER',
  help: 'the folder for data and secrets; default SERVAL_DATA, or data',
}

export const dataOf = (given: Given): string =>
  given.text('data') ?? (process.env['SERVAL_DATA'] || 'data')

const fileIn = (data: string): string => join(data, 'fleet.json')

export const writeState = (data: string, state: FleetState): void =>
  writeFileSync(fileIn(data), `${JSON.stringify(state)}\n`, { mode: 0o600 })

export const forgetState = (data: string): void => rmSync(fileIn(data), { force: true })

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** The fleet of a data folder, if one runs. */
export const readState = (data: string): FleetState | undefined => {
  try {
    const state = FleetState.parse(JSON.parse(readFileSync(fileIn(data), 'utf8')))
    return alive(state.pid) ? state : undefined
  } catch {
    // No file, or half of one: no fleet.
    return undefined
  }
}

/** Talks to the supervisor of the fleet that runs from a data folder. */
export const fleetOf = (data: string): Client<typeof fleet> => {
  const state = readState(data)
  if (state === undefined)
    throw failure(
      'misconfigured',
      `no fleet runs from the folder ${data}; start one with serval up, or name its folder with --data`,
    )
  return httpClient(fleet, {
    address: state.address,
    headers: { 'x-serval-operator': state.key },
  })
}
