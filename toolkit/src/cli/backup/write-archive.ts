import { createReadStream, createWriteStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { createTarPacker, type TarHeader } from 'modern-tar'
import { contentsName, manifestName, type Manifest } from './manifest.ts'

/** Writes the files of a data folder, after their manifest, as a gzipped tar archive that only its owner can read. */
export const writeArchive = async (
  archive: string,
  folder: string,
  manifest: Manifest,
  packed: (bytes: number) => void,
): Promise<void> => {
  const { readable, controller } = createTarPacker()
  const mtime = new Date(manifest.at)
  const add = async (
    header: TarHeader,
    body: AsyncIterable<Uint8Array> | readonly Uint8Array[] = [],
  ) => {
    const writer = controller.add({ mtime, ...header }).getWriter()
    for await (const chunk of body) await writer.write(chunk)
    await writer.close()
  }
  const told = async function* (file: string) {
    const chunks: AsyncIterable<Buffer> = createReadStream(file)
    for await (const chunk of chunks) {
      packed(chunk.length)
      yield chunk
    }
  }
  const pack = async () => {
    const text = new TextEncoder().encode(JSON.stringify(manifest, undefined, 1))
    await add({ name: manifestName, size: text.length, mode: 0o600 }, [text])
    await add({ name: `${contentsName}/`, type: 'directory', size: 0, mode: manifest.mode })
    for (const { path, mode } of manifest.folders)
      await add({ name: `${contentsName}/${path}/`, type: 'directory', size: 0, mode })
    for (const { path, mode, size } of manifest.files)
      await add({ name: `${contentsName}/${path}`, size, mode }, told(join(folder, path)))
    controller.finalize()
  }
  const packing = pack().catch((error: unknown) => {
    controller.error(error)
    throw error
  })
  const written = pipeline(
    readable,
    createGzip(),
    createWriteStream(archive, { flags: 'wx', mode: 0o600 }),
  )
  await Promise.all([packing, written])
  const file = await open(archive, 'r+')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}
