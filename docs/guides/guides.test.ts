import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterAll, expect, test } from 'vitest'

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

const guide = await readFile(join(here, 'service-in-ten-minutes.md'), 'utf8')
const blocks = blocksOf(guide)
for (const { file, text } of blocks.filter(({ before }) => before === undefined)) {
  const path = join(folder, file)
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, text)
}
const added = blocks.filter(({ before }) => before !== undefined)
for (const { file, before, text } of added) {
  const path = join(folder, file)
  const source = await readFile(path, 'utf8')
  const at = source.indexOf(`    ${before}:`)
  if (at < 0) throw new Error(`${file} has no ${before}`)
  await writeFile(path, source.slice(0, at) + text + source.slice(at))
}

// The guide's own tests run as part of this file.
await import(pathToFileURL(join(folder, 'wishes/wishes.test.ts')).href)

test('an operation more touches two files', async () => {
  expect(added.map(({ file }) => file)).toEqual(['wishes/contract.ts', 'wishes/service.ts'])
  const { wishes } = (await import(pathToFileURL(join(folder, 'wishes/contract.ts')).href)) as {
    wishes: { operations: object }
  }
  expect(Object.keys(wishes.operations)).toEqual(['wish', 'count', 'mine'])
})

afterAll(() => rm(folder, { recursive: true, force: true }))
