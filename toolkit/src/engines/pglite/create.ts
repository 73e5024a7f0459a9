import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PGlite } from '@electric-sql/pglite'

// A program of its own: see template.ts.
const target = process.argv[2]
if (target === undefined) throw new Error('usage: create <folder>')

const pg = await PGlite.create(join(target, 'data'), {
  // Files of the log in steps of 4 MB instead of 16: an empty database is half as large.
  initDbStartParams: ['--wal-segsize=4'],
})
const archive = await pg.dumpDataDir('none')
writeFileSync(join(target, 'data.tar'), new Uint8Array(await archive.arrayBuffer()))
await pg.close()
