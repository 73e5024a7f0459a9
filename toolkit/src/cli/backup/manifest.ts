import { z } from 'zod'

/** The first entry of an archive. */
export const manifestName = 'serval-backup.json'

/** Where the data folder's own files lie in an archive. */
export const contentsName = 'data'

/** Names joined by slashes, none of which leads elsewhere. */
const Path = z
  .string()
  .max(4_000)
  .refine(
    (path) => path.split('/').every((name) => name !== '' && name !== '.' && name !== '..'),
    'it must be a path inside of the data folder',
  )
  .refine((path) => !/[\0\\]/.test(path), 'it must not hold NUL or backslashes')
const Mode = z.int().min(0).max(0o777)

/**
 * What an archive holds, with the checksum of each file. Version 1 of the form; a later one gets another number, which
 * this program then refuses.
 */
export const Manifest = z.object({
  format: z.literal(1),
  /** The version of this toolkit that wrote it. */
  serval: z.string(),
  /** RFC 3339. */
  at: z.string(),
  /** The mode of the data folder itself. */
  mode: Mode,
  /** The embedded databases in it, and the major version of PostgreSQL that reads their files. */
  databases: z.array(z.object({ path: z.string(), postgres: z.string() })),
  folders: z.array(z.object({ path: Path, mode: Mode })),
  files: z.array(
    z.object({
      path: Path,
      mode: Mode,
      size: z.int().min(0),
      sha256: z.string().regex(/^[0-9a-f]{64}$/),
    }),
  ),
})
export type Manifest = z.output<typeof Manifest>
