import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { createTarDecoder, type ParsedTarEntry } from 'modern-tar'
import { failure, ServalError } from '../../base/failure.ts'
import { contentsName, Manifest, manifestName } from './manifest.ts'

/** Takes what an archive holds, in its order. */
export interface ArchiveTaker {
  /** Called first, and once. Throws when it cannot take the rest. */
  begin(manifest: Manifest): Promise<void>
  /** One file, with its bytes as they come. Its checksum is compared after the last. */
  file(path: string, mode: number, bytes: AsyncIterable<Uint8Array>): Promise<void>
}

const manifestLimit = 256 * 1024 * 1024

const damaged = (archive: string, detail: string, cause?: unknown) =>
  failure(
    'cannot-start',
    `${archive} is damaged or no backup (${detail}): nothing was changed, take another one`,
    cause === undefined ? {} : { cause },
  )

/** Reads an archive to its end, and compares each file with the manifest: nothing missing, nothing more, nothing else. */
export const readArchive = async (archive: string, taker: ArchiveTaker): Promise<Manifest> => {
  const source = createReadStream(archive)
  const gunzip = createGunzip()
  // The error comes out at the end that is read.
  source.on('error', (error) => gunzip.destroy(error))
  // Node’s own type of a web stream lacks what the standard’s has; the object is the same.
  const entries = (
    Readable.toWeb(source.pipe(gunzip)) as unknown as ReadableStream<Uint8Array>
  ).pipeThrough(createTarDecoder({ strict: true }))
  let manifest: Manifest | undefined
  const expected = new Map<string, Manifest['files'][number]>()
  const folders = new Set<string>()
  try {
    for await (const entry of entries) {
      const { header, body } = entry
      if (manifest === undefined) {
        if (header.name !== manifestName) throw damaged(archive, `${manifestName} is not its first entry`) // prettier-ignore
        manifest = await readManifest(archive, header.size, body)
        for (const one of manifest.files) expected.set(`${contentsName}/${one.path}`, one)
        folders.add(contentsName)
        for (const one of manifest.folders) folders.add(`${contentsName}/${one.path}`)
        await taker.begin(manifest)
      } else if (header.type === 'directory' && folders.has(header.name.replace(/\/$/, ''))) {
        await body.cancel()
      } else await readFile(archive, entry, expected, taker)
    }
  } catch (error) {
    if (error instanceof ServalError) throw error
    if (error instanceof Error && 'syscall' in error)
      throw failure('cannot-start', `${error.message}: nothing was changed`, { cause: error })
    throw damaged(archive, error instanceof Error ? error.message : String(error), error)
  } finally {
    source.destroy()
    gunzip.destroy()
  }
  if (manifest === undefined) throw damaged(archive, 'it is empty')
  const [missing] = expected.keys()
  if (missing !== undefined) throw damaged(archive, `${missing} is missing`)
  return manifest
}

const readManifest = async (
  archive: string,
  size: number,
  body: ReadableStream<Uint8Array>,
): Promise<Manifest> => {
  if (size > manifestLimit) throw damaged(archive, `${manifestName} is too large`)
  const parsed = await new Response(body).json().then(
    (value: unknown) => Manifest.safeParse(value),
    (cause: unknown) => {
      throw damaged(archive, `${manifestName} cannot be read`, cause)
    },
  )
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw damaged(
    archive,
    `${manifestName}: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}, or a later version wrote it`,
  )
}

const readFile = async (
  archive: string,
  { header, body }: ParsedTarEntry,
  expected: Map<string, Manifest['files'][number]>,
  taker: ArchiveTaker,
): Promise<void> => {
  const file = expected.get(header.name)
  const isFile = header.type === undefined || header.type === 'file'
  if (file === undefined || !isFile || header.size !== file.size)
    throw damaged(archive, `${header.name} is not what ${manifestName} says`)
  expected.delete(header.name)
  const hash = createHash('sha256')
  const hashed = async function* () {
    for await (const chunk of body) {
      hash.update(chunk)
      yield chunk
    }
  }
  await taker.file(file.path, file.mode, hashed())
  if (hash.digest('hex') !== file.sha256)
    throw damaged(archive, `the checksum of ${header.name} is wrong`)
}
