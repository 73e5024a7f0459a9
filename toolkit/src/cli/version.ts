import { readFileSync } from 'node:fs'
import { z } from 'zod'

const Manifest = z.object({ version: z.string() })

/** This package's version. */
export const version = (): string => {
  const file = new URL('../../package.json', import.meta.url)
  return Manifest.parse(JSON.parse(readFileSync(file, 'utf8'))).version
}
