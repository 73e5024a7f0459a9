import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { cp, readdir, readFile, rename, rm, rmdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { failure } from '../../base/failure.ts'
import { usage, type Command } from '../command.ts'
import { packageSpec } from './package-spec.ts'

/** Real files, which the toolkit's own tests compile and run as they are. */
const template = fileURLToPath(new URL('../../../templates/project', import.meta.url))

/** What the template calls itself. */
const placeholder = 'serval-project'

const Packages = z.record(z.string(), z.string())
const Manifest = z.object({ dependencies: Packages, devDependencies: Packages })

/** npm installs no package into one of the same name. */
const takenNames = (): readonly string[] => {
  const file = readFileSync(join(template, 'package.json'), 'utf8')
  const { dependencies, devDependencies } = Manifest.parse(JSON.parse(file))
  return ['node_modules', ...Object.keys(dependencies), ...Object.keys(devDependencies)]
}

const checkName = (name: string): void => {
  if (!/^[a-z][a-z0-9-]{0,59}$/.test(name))
    throw usage(
      newProject,
      `NAME must be a lower-case word of at most 60 letters, digits and hyphens that begins with a letter; it is ${JSON.stringify(name)}`,
    )
  if (takenNames().includes(name))
    throw usage(newProject, `NAME must not be that of a package which the project uses; it is ${JSON.stringify(name)}`) // prettier-ignore
}

const checkFolder = (folder: string): void => {
  if (!existsSync(folder)) return
  if (!statSync(folder).isDirectory())
    throw failure('cannot-start', `${folder} is a file: choose another name, or move it away`)
  const [first] = readdirSync(folder)
  if (first !== undefined)
    throw failure(
      'cannot-start',
      `${folder} is not empty (it holds ${first}): choose another name, or empty it`,
    )
}

/** Files that the packed template cannot bear under their own names, because npm would obey them. */
const renamed: Readonly<Record<string, string>> = { gitignore: '.gitignore' }

/** Puts the project's name, and this package, into the copied files. */
const personalise = async (draft: string, folder: string, name: string): Promise<void> => {
  for (const entry of await readdir(draft, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    const text = await readFile(path, 'utf8')
    const own = text.replaceAll(placeholder, name)
    await writeFile(
      path,
      path === join(draft, 'package.json')
        ? own.replace(/("serval": )"[^"]*"/, `$1${JSON.stringify(packageSpec(folder))}`)
        : own,
    )
    const other = renamed[entry.name]
    if (other !== undefined) await rename(path, join(entry.parentPath, other))
  }
}

/** Makes a project: one service with its tests, on the embedded stores. */
export const newProject: Command = {
  name: 'new',
  takes: 'NAME',
  arguments: { least: 1, most: 1 },
  summary: 'Makes a project with one service, in the folder NAME',
  options: {},
  notes: [
    'The folder must be empty, or not be there. Nothing is installed: npm install does that.',
  ],
  run: async ({ positionals: [name = ''] }, terminal) => {
    checkName(name)
    const folder = resolve(name)
    checkFolder(folder)
    const draft = `${folder}.new-${process.pid}`
    try {
      await cp(template, draft, { recursive: true })
      await personalise(draft, folder, name)
      if (existsSync(folder)) await rmdir(folder)
      await rename(draft, folder)
    } finally {
      await rm(draft, { recursive: true, force: true })
    }
    terminal.out(
      [
        `${name} is there: one service, its tests, and a setup. Next:`,
        '',
        `  cd ${name}`,
        '  npm install',
        '  npm start',
        '',
        'README.md says the rest.',
      ].join('\n'),
    )
    return 0
  },
}
