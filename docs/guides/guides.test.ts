import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'

/* The code of the guides is written to files and run: an example that does not work fails here. */

const here = dirname(fileURLToPath(import.meta.url))
const folder = join(here, '../../.cache', `guide-${process.pid}`)

interface Block {
  readonly file: string
  /** The block goes in front of the operation of this name, in a file that is there already. */
  readonly before: string | undefined
  readonly text: string
}

const blocksOf = (guide: string): Block[] =>
  [...guide.matchAll(/```ts file=(\S+)(?: before=(\S+))?\n([\s\S]*?)```/g)].map(
    ([, file = '', before, text = '']) => ({ file, before, text }),
  )

/** Writes a guide's files to a folder of its own; answers the blocks that were put into files that were there. */
const unpack = async (name: string): Promise<{ folder: string; added: Block[] }> => {
  const blocks = blocksOf(await readFile(join(here, `${name}.md`), 'utf8'))
  const own = join(folder, name)
  for (const { file, text } of blocks.filter(({ before }) => before === undefined)) {
    const path = join(own, file)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, text)
  }
  const added = blocks.filter(({ before }) => before !== undefined)
  for (const { file, before, text } of added) {
    const path = join(own, file)
    const source = await readFile(path, 'utf8')
    const at = source.indexOf(`    ${before}:`)
    if (at < 0) throw new Error(`${file} has no ${before}`)
    await writeFile(path, source.slice(0, at) + text + source.slice(at))
  }
  return { folder: own, added }
}

const wishes = await unpack('service-in-ten-minutes')
const points = await unpack('events')
const parcels = await unpack('foreign-services')

// The guides' own tests run as part of this file, each guide's under its name.
for (const [name, file] of [
  ['A service in ten minutes', join(wishes.folder, 'wishes/wishes.test.ts')],
  ['Events', join(points.folder, 'points/points.test.ts')],
  ['Foreign services', join(parcels.folder, 'parcels/parcels.test.ts')],
] as const) {
  const tests = pathToFileURL(file).href
  describe(name, async () => {
    await import(tests)
  })
}

test('an operation more touches two files', async () => {
  expect(wishes.added.map(({ file }) => file)).toEqual(['wishes/contract.ts', 'wishes/service.ts'])
  const { wishes: contract } = (await import(
    pathToFileURL(join(wishes.folder, 'wishes/contract.ts')).href
  )) as { wishes: { operations: object } }
  expect(Object.keys(contract.operations)).toEqual(['wish', 'count', 'mine'])
})

afterAll(() => rm(folder, { recursive: true, force: true }))
