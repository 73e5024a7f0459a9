import { readdir, readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'

const read = (path: string) => readFile(new URL(path, import.meta.url), 'utf8')
const namesIn = (text: string) => [...text.matchAll(/\bSERVAL_[A-Z_]+/g)].map(([name]) => name)

test('run-it.md and fleet.md list the settings that the setups, the start and the links read, and no others', async () => {
  const setups = (await readdir(new URL('../../setups', import.meta.url)))
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
    .map((name) => `../../setups/${name}`)
  const others = ['run', 'link-certificates'].map((name) => `../../toolkit/src/host/${name}.ts`)
  const sources = await Promise.all([...setups, ...others].map(read))
  // SERVAL_RUNTIME is npm start's: the guide starts the runtime itself.
  const known = new Set(sources.flatMap(namesIn).filter((name) => name !== 'SERVAL_RUNTIME'))
  const table = (await Promise.all(['run-it.md', 'fleet.md'].map(read)))
    .flatMap((guide) => guide.split('\n'))
    .filter((line) => line.startsWith('| `SERVAL_'))
  expect(table.flatMap((line) => namesIn(line.split(' | ')[0] ?? '')).toSorted()).toEqual(
    [...known].toSorted(),
  )
})

test('the commands of the guides exist', async () => {
  const { serval } = await import('../../toolkit/src/cli/serval.ts')
  const guides = await Promise.all(['run-it.md', 'backup.md', 'fleet.md'].map(read))
  const commands = guides
    .flatMap((guide) => [...guide.matchAll(/\bserval (?:-- )?(contracts \w+|\w+) [A-Za-z/.]/g)])
    .map(([, command = '']) => command)
    .filter((command) => command !== 'new')
  expect(new Set(commands).size).toBeGreaterThan(3)
  const quiet = { out: () => undefined, err: () => undefined, progress: () => undefined }
  for (const command of new Set(commands))
    expect(
      await serval([...command.split(' '), '--help'], { ...quiet, bold: (text) => text }),
      command,
    ).toBe(0)
})
