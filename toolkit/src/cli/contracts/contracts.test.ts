import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { recordingTerminal } from '../recording-terminal.suite.ts'
import { serval } from '../serval.ts'

/** In the repository, so that the modules find the packages that they import. */
const root = fileURLToPath(new URL(`../../../../.cache/contracts-${process.pid}`, import.meta.url))
afterAll(() => rmSync(root, { recursive: true, force: true }))
let folders = 0
const newFolder = () => {
  const folder = join(root, `${(folders += 1)}`)
  mkdirSync(folder, { recursive: true })
  return folder
}

const run = async (...args: string[]) => {
  const terminal = recordingTerminal()
  return { code: await serval(['contracts', ...args], terminal), ...terminal.said }
}

let modules = 0
/** A system's module: under another name each time, because a module is loaded once. */
const systemOf = (
  folder: string,
  input: string,
  exported = 'export const system = { services: [{ contract: wishes }] }',
) => {
  // prettier-ignore
  const file = join(folder, `system${(modules += 1)}.ts`)
  writeFileSync(
    file,
    `import { contract, query } from 'serval'
import { z } from 'zod'
const wishes = contract('wishes', {
  operations: {
    find: query({ summary: 'Finds', access: 'public', input: z.object({ ${input} }), output: z.object({}) }),
  },
})
${exported}
`,
  )
  return file
}

test('what is released passes, what is added passes, what breaks is refused until it is meant', async () => {
  const folder = newFolder()
  const snapshot = join(folder, 'contracts.json')
  const first = systemOf(folder, 'sku: z.string()')
  expect(await run('check', first)).toMatchObject({
    code: 2,
    err: expect.stringContaining('nothing was released yet'),
  })

  const noted = await run('release', first)
  expect(noted).toMatchObject({ code: 0, err: '' })
  expect(noted.out).toContain('1 contract, 1 operation, 0 events noted in')
  const released = readFileSync(snapshot, 'utf8')

  const passed = await run('check', first)
  expect(passed).toMatchObject({ code: 0, err: '' })
  expect(passed.out).toContain('nothing breaks what was released')
  expect(passed.out).not.toContain('There is more')

  const wider = systemOf(folder, 'sku: z.string(), shop: z.string().optional()')
  const more = await run('check', wider)
  expect(more).toMatchObject({ code: 0, err: '' })
  expect(more.out).toContain('There is more than was released')

  const broken = systemOf(folder, 'sku: z.string(), shop: z.string()')
  for (const command of ['check', 'release']) {
    const refused = await run(command, broken)
    expect(refused).toMatchObject({ code: 1, out: '' })
    expect(refused.err).toBe(
      `  wishes.find/input/shop  input-field-required
    was  not there
    is   required
    →    Make it optional, or give it a default: callers do not send it yet.

1 change breaks what was released (${snapshotName(refused.err)}): callers and readers of the last release are still there
when the next one starts. If it is meant to break, note it: serval contracts release --breaking
`,
    )
    expect(readFileSync(snapshot, 'utf8')).toBe(released)
  }

  expect(await run('release', broken, '--breaking')).toMatchObject({ code: 0, err: '' })
  expect(await run('check', broken)).toMatchObject({ code: 0, err: '' })
})

const snapshotName = (text: string) => /released \((.*?)\)/.exec(text)?.[1] ?? ''

test('the snapshot can lie elsewhere', async () => {
  const folder = newFolder()
  const system = systemOf(folder, '')
  const file = join(folder, 'released.json')
  expect(await run('release', system, '--snapshot', file)).toMatchObject({ code: 0 })
  expect(await run('check', system, '--snapshot', file)).toMatchObject({ code: 0 })
  expect(existsSync(join(folder, 'contracts.json'))).toBe(false)
})

test('a module may export contracts instead of a system', async () => {
  const folder = newFolder()
  const file = systemOf(folder, '', 'export { wishes, wishes as same }')
  expect((await run('release', file)).out).toContain('1 contract, 1 operation')
})

test.each([
  ['is not there', () => join(root, 'nowhere.ts'), 'nowhere.ts does not exist'],
  ['cannot be loaded', () => systemOf(newFolder(), '', 'throw new Error("broken")'), 'cannot be loaded: broken'], // prettier-ignore
  ['exports no contract', () => systemOf(newFolder(), '', 'export const system = 7'), 'exports neither a system'], // prettier-ignore
  ['has two contracts of one name', () => systemOf(newFolder(), '', 'export { wishes }; export const other = { ...wishes }'), 'two contracts with the name wishes'], // prettier-ignore
])('a system that %s is told apart', async (_, make, says) => {
  const { code, err } = await run('release', make())
  expect(code).toBe(2)
  expect(err).toContain(says)
})

test('a snapshot that is damaged is refused, and not overwritten', async () => {
  const folder = newFolder()
  const system = systemOf(folder, '')
  writeFileSync(join(folder, 'contracts.json'), '{')
  for (const command of ['check', 'release'])
    expect(await run(command, system)).toMatchObject({
      code: 2,
      err: expect.stringContaining('is not a snapshot of contracts'),
    })
  expect(readFileSync(join(folder, 'contracts.json'), 'utf8')).toBe('{')
})
