import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'

/* That the made project is checked, tested and served from the package: scripts/pack.test.ts. */

const program = fileURLToPath(new URL('../main.ts', import.meta.url))
const template = fileURLToPath(new URL('../../../templates/project', import.meta.url))
const place = mkdtempSync(join(tmpdir(), 'serval-new-'))
afterAll(() => rmSync(place, { recursive: true, force: true }))

const run = (...args: string[]) =>
  spawnSync(process.execPath, [program, 'new', ...args], { cwd: place, encoding: 'utf8' })

const filesIn = (folder: string) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .toSorted()

test('makes the template’s files, under the project’s name', () => {
  mkdirSync(join(place, 'my-shop'))
  const { status, stdout, stderr } = run('my-shop')
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  expect(stdout).toContain('cd my-shop')
  const made = filesIn(join(place, 'my-shop'))
  expect(made).toEqual(
    filesIn(template)
      .map((name) => (name === 'gitignore' ? '.gitignore' : name))
      .toSorted(),
  )
  for (const name of made)
    expect(readFileSync(join(place, 'my-shop', name), 'utf8')).not.toContain('serval-project')
  const { name, dependencies } = JSON.parse(
    readFileSync(join(place, 'my-shop/package.json'), 'utf8'),
  ) as { name: string; dependencies: Record<string, string> }
  expect(name).toBe('my-shop')
  // From a checkout, the checkout itself.
  const toolkit = dependencies['serval']?.replace('file:', '') ?? ''
  expect(resolve(place, 'my-shop', toolkit)).toBe(resolve(template, '../..'))
})

test.each(['', 'My-Shop', '1st', 'a/b', '../up', '.', 'a b', 'ä', 'a'.repeat(61), '-x-'])(
  'refuses the name %j',
  (name) => {
    const before = readdirSync(place)
    const { status, stderr } = run('--', name)
    expect(status).toBe(2)
    expect(stderr).toContain('NAME must be a lower-case word')
    expect(readdirSync(place)).toEqual(before)
  },
)

test.each(['serval', 'zod', 'vitest', 'node_modules'])(
  'refuses %s, the name of a package',
  (name) => {
    // prettier-ignore
    const { status, stderr } = run(name)
    expect(status).toBe(2)
    expect(stderr).toMatch(/NAME must (not be that of a package|be a lower-case word)/)
    expect(existsSync(join(place, name))).toBe(false)
  },
)

test('leaves a folder that holds something, and a file, as they are', () => {
  mkdirSync(join(place, 'full'))
  writeFileSync(join(place, 'full/thesis.txt'), 'mine')
  writeFileSync(join(place, 'file'), 'mine')
  const full = run('full')
  expect(full.status).toBe(1)
  expect(full.stderr).toContain('is not empty (it holds thesis.txt)')
  expect(readdirSync(join(place, 'full'))).toEqual(['thesis.txt'])
  const file = run('file')
  expect(file.status).toBe(1)
  expect(file.stderr).toContain('is a file')
  expect(readFileSync(join(place, 'file'), 'utf8')).toBe('mine')
})
