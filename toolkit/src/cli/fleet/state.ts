import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { failure } from '../../base/failure.ts'
import type { Client } from '../../contract/index.ts'
import { fleet } from '../../fleet/index.ts'
import { httpClient } from '../../link/http-client.ts'
import type { CommandOption, Given } from '../command.ts'
import { isAlive, runs } from './orphans.ts'

/** What a running fleet leaves in its data folder, so that commands find its supervisor. Only its owner can read it. */
const FleetState = z.object({
  address: z.string(),
  key: z.string(),
  pid: z.int(),
  /** Its processes, to be found when the supervisor is gone. */
  hosts: z.array(z.object({ id: z.string(), name: z.string(), pid: z.int() })).default([]),
})
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

/** Whole or not at all: commands read it at any time. */
export const writeState = (data: string, state: FleetState): void => {
  const file = fileIn(data)
  writeFileSync(`${file}.new`, `${JSON.stringify(state)}\n`, { mode: 0o600 })
  renameSync(`${file}.new`, file)
}

export const forgetState = (data: string): void => rmSync(fileIn(data), { force: true })

/** What the last fleet of a data folder left, whether or not it still runs. */
export const leftState = (data: string): FleetState | undefined => {
  try {
    return FleetState.parse(JSON.parse(readFileSync(fileIn(data), 'utf8')))
  } catch {
    // No file, or half of one: no fleet.
    return undefined
  }
}

/** In a container a supervisor has the same id each time. */
const isAnother = (pid: number): boolean => pid !== process.pid && isAlive(pid)

/** The fleet of a data folder, if one runs. */
export const readState = (data: string): FleetState | undefined => {
  const state = leftState(data)
  return state !== undefined && isAnother(state.pid) ? state : undefined
}

/** Hosts that go on although their supervisor has ended. */
export const orphansOf = ({ pid, hosts }: FleetState) => (isAnother(pid) ? [] : hosts.filter(runs))

const running = (data: string, pid: number) =>
  failure(
    'misconfigured',
    `a fleet runs from the folder ${data} already (process ${pid}); end it with serval down, or choose another folder with --data`,
  )

/** Takes a data folder for a fleet that starts; of two at the same moment, one gets it. Answers how to give it back. */
export const claimFolder = (data: string): (() => void) => {
  mkdirSync(data, { recursive: true })
  const state = leftState(data)
  if (state !== undefined && isAnother(state.pid)) throw running(data, state.pid)
  const orphans = state === undefined ? [] : orphansOf(state)
  if (orphans.length > 0)
    throw failure(
      'misconfigured',
      `the supervisor of the fleet in the folder ${data} has ended, but ${orphans.length} of its processes still run: ${orphans.map(({ name, pid }) => `${name} (${pid})`).join(', ')}; serval down ends them`,
    )
  const lock = join(data, 'fleet.lock')
  const holder = pidIn(lock)
  if (holder !== undefined) {
    if (isAnother(holder)) throw running(data, holder)
    rmSync(lock, { force: true })
  }
  try {
    const file = openSync(lock, 'wx', 0o600)
    writeFileSync(file, `${process.pid}\n`)
    closeSync(file)
  } catch (cause) {
    throw failure('misconfigured', `another fleet is starting in the folder ${data}`, { cause })
  }
  return () => rmSync(lock, { force: true })
}

const pidIn = (file: string): number | undefined => {
  try {
    return Number(readFileSync(file, 'utf8'))
  } catch {
    return undefined
  }
}

/** Talks to the supervisor of the fleet that runs from a data folder. */
export const fleetOf = (data: string): Client<typeof fleet> => {
  const state = readState(data)
  if (state === undefined) {
    const left = leftState(data)
    const orphans = left === undefined ? [] : orphansOf(left)
    throw failure(
      'misconfigured',
      orphans.length === 0
        ? `no fleet runs from the folder ${data}; start one with serval up, or name its folder with --data`
        : `the supervisor of the fleet in the folder ${data} has ended; serval down ends the ${orphans.length} processes that still run`,
    )
  }
  return httpClient(fleet, {
    address: state.address,
    headers: { 'x-serval-operator': state.key },
  })
}
