import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import {
  access,
  constants,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
} from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, dirname, extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

/**
 * An empty database, to copy. Making one (initdb) takes seconds and a gigabyte of memory that the runtime
 * does not give back, so another process makes it, and the installed packages' cache keeps it.
 */
export interface Template {
  /** A data folder. */
  readonly folder: string
  /** The same as an archive. */
  readonly archive: string
  /** Removes what was not kept. */
  dispose(): Promise<void>
}

/** Part of the cached name; to be raised when create.ts makes something else. */
const generation = 1

const run = promisify(execFile)

const create = async (target: string): Promise<void> => {
  const here = fileURLToPath(import.meta.url)
  // The extension is .ts in the repository and .js in the package.
  const script = join(dirname(here), `create${extname(here)}`)
  const { NODE_OPTIONS: _, ...env } = process.env
  await run(process.execPath, [script, target], { env, maxBuffer: 1024 * 1024 })
}

const at = (root: string, dispose: () => Promise<void>): Template => ({
  folder: join(root, 'data'),
  archive: join(root, 'data.tar'),
  dispose,
})

const cacheFolder = async (): Promise<string | undefined> => {
  try {
    const entry = createRequire(import.meta.url).resolve('@electric-sql/pglite')
    const packageFolder = join(dirname(entry), '..')
    const { version } = JSON.parse(await readFile(join(packageFolder, 'package.json'), 'utf8')) as {
      version: string
    }
    const modules = join(packageFolder, '..', '..')
    await access(modules, constants.W_OK)
    const cache = join(modules, '.cache', 'serval')
    await mkdir(cache, { recursive: true })
    return join(cache, `pglite-${version}-${generation}`)
  } catch {
    return undefined
  }
}

/** What a process that was killed while it made a template left in the cache. */
const removeLeftovers = async (cached: string): Promise<void> => {
  const cache = dirname(cached)
  for (const name of await readdir(cache)) {
    if (!name.startsWith(`${basename(cached)}-`)) continue
    const { mtimeMs } = await stat(join(cache, name))
    if (Date.now() - mtimeMs > 600_000)
      await rm(join(cache, name), { recursive: true, force: true })
  }
}

export const databaseTemplate = async (): Promise<Template> => {
  const cached = await cacheFolder()
  if (cached !== undefined && existsSync(cached)) return at(cached, () => Promise.resolve())
  const root = await mkdtemp(cached === undefined ? join(tmpdir(), 'serval-pglite-') : `${cached}-`)
  const remove = () => rm(root, { recursive: true, force: true })
  try {
    if (cached !== undefined) await removeLeftovers(cached).catch(() => undefined)
    await create(root)
    if (cached === undefined) return at(root, remove)
    // Another process may have been quicker; then its copy serves.
    await rename(root, cached).catch(remove)
    return at(cached, () => Promise.resolve())
  } catch (error) {
    await remove()
    throw error
  }
}
