import { existsSync, readFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { version } from '../version.ts'

/** Where this program's package lies: in a checkout, or in somebody's node_modules. */
const packageFolder = fileURLToPath(new URL('../../..', import.meta.url))

const Manifest = z.object({ dependencies: z.record(z.string(), z.string()).optional() })

/** The file from which this package was installed into somebody's node_modules, if it was one. */
const installedFrom = (): string | undefined => {
  const root = resolve(packageFolder, '../..')
  const manifest = join(root, 'package.json')
  if (!existsSync(manifest)) return undefined
  const parsed = Manifest.safeParse(JSON.parse(readFileSync(manifest, 'utf8')))
  const from = parsed.data?.dependencies?.['serval']
  // npm writes file:../x.tgz, and Bun ../x.tgz.
  const file = /^(?:file:)?(\.{0,2}\/.*)$/.exec(from ?? '')?.[1]
  return file === undefined ? undefined : resolve(root, file)
}

/**
 * How a project in `folder` names this package in its dependencies: by version, or by the file or the checkout that this
 * program runs from, since the registry may not have it.
 */
export const packageSpec = (folder: string): string => {
  const inCheckout = existsSync(join(packageFolder, 'src/cli/main.ts'))
  const file = inCheckout ? packageFolder : installedFrom()
  return file === undefined ? `^${version()}` : `file:${relative(folder, file)}`
}
