import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { incompatibilities } from '../../contract/compatibility.ts'
import { contractsSnapshot, readSnapshot } from '../../contract/snapshot.ts'
import type { Command } from '../command.ts'
import { contractsOptions, loadContracts, snapshotFile } from './load.ts'
import { reportIncompatibilities, sizeOf } from './report.ts'

/** Notes what contracts promise, as what later changes are compared with. */
export const contractsRelease: Command = {
  name: 'contracts release',
  takes: 'SYSTEM',
  arguments: { least: 1, most: 1 },
  summary: 'Notes what the contracts promise now as released',
  options: {
    ...contractsOptions,
    breaking: { type: 'boolean', help: 'also where it breaks what was released before' },
  },
  notes: [
    'The file belongs into version control: its changes are the changes of the public interface.',
    'Exit code: 0 written, 1 refused because something breaks, 2 the command was called wrongly.',
  ],
  run: async ({ positionals: [system = ''], text, flag }, terminal) => {
    const file = snapshotFile(system, text('snapshot'))
    const current = contractsSnapshot(await loadContracts(system))
    if (existsSync(file) && !flag('breaking')) {
      const found = incompatibilities(readSnapshot(readFileSync(file, 'utf8'), file), current)
      if (found.length > 0) {
        reportIncompatibilities(found, file, terminal)
        return 1
      }
    }
    const draft = `${file}.${process.pid}`
    writeFileSync(draft, `${JSON.stringify(current, undefined, 2)}\n`)
    renameSync(draft, file)
    terminal.out(`${sizeOf(current)} noted in ${file}.`)
    return 0
  },
}
