import { existsSync, readFileSync } from 'node:fs'
import { failure } from '../../base/failure.ts'
import { incompatibilities } from '../../contract/compatibility.ts'
import { contractsSnapshot, readSnapshot } from '../../contract/snapshot.ts'
import type { Command } from '../command.ts'
import { contractsOptions, loadContracts, snapshotFile } from './load.ts'
import { reportIncompatibilities, sizeOf } from './report.ts'

/** The gate: compares what contracts promise with what was released. */
export const contractsCheck: Command = {
  name: 'contracts check',
  takes: 'SYSTEM',
  arguments: { least: 1, most: 1 },
  summary: 'Refuses changes of contracts that break what was released',
  options: contractsOptions,
  notes: [
    'SYSTEM is a module that exports a system or contracts, such as system.ts. Compared are operations (input,',
    'output, access, http binding, repeat), problems and events. Refinements and transforms of a schema cannot be',
    'seen, so test those. Exit code: 0 nothing breaks, 1 something does, 2 the command was called wrongly.',
  ],
  run: async ({ positionals: [system = ''], text }, terminal) => {
    const file = snapshotFile(system, text('snapshot'))
    if (!existsSync(file))
      throw failure(
        'misconfigured',
        `${file} does not exist: nothing was released yet. Write it with: serval contracts release ${system}`,
      )
    const released = readSnapshot(readFileSync(file, 'utf8'), file)
    const current = contractsSnapshot(await loadContracts(system))
    const found = incompatibilities(released, current)
    if (found.length > 0) {
      reportIncompatibilities(found, file, terminal)
      return 1
    }
    terminal.out(`${sizeOf(current)}: nothing breaks what was released (${file}).`)
    if (JSON.stringify(released) !== JSON.stringify(current))
      terminal.out(`There is more than was released. When it is: serval contracts release ${system}`) // prettier-ignore
    return 0
  },
}
