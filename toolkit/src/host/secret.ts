import { link, mkdir, open, readFile, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { failure } from '../base/failure.ts'

/** Derives 32 bytes for a purpose from the master secret (HKDF-SHA-256, RFC 5869). */
export const derive = async (
  master: Uint8Array<ArrayBuffer>,
  purpose: string,
): Promise<Uint8Array<ArrayBuffer>> => {
  const key = await crypto.subtle.importKey('raw', master, 'HKDF', false, ['deriveBits'])
  const parameters = {
    name: 'HKDF',
    hash: 'SHA-256',
    salt: new Uint8Array(),
    info: new TextEncoder().encode(purpose),
  }
  return new Uint8Array(await crypto.subtle.deriveBits(parameters, key, 256))
}

const exists = async (path: string): Promise<boolean> =>
  (await stat(path).catch(() => undefined)) !== undefined

const codeOf = (error: unknown): string | undefined =>
  (error as NodeJS.ErrnoException | undefined)?.code

/** One by one: `recursive` never returns (Node 24.21) where no folder can be made and the system says ENOENT, as in /proc. */
const makeFolder = async (folder: string): Promise<void> => {
  const missing: string[] = []
  for (let at = folder; !(await exists(at)); at = dirname(at)) missing.unshift(at)
  for (const each of missing)
    await mkdir(each).catch((error: unknown) => {
      if (codeOf(error) !== 'EEXIST') throw error
    })
}

/**
 * Makes the file unless it is there. It is written under another name and then linked, which fails when the file exists: so two hosts that
 * start at once agree on one, and neither reads, nor does a crash leave, half of it.
 */
const make = async (file: string): Promise<void> => {
  if (await exists(file)) return
  await makeFolder(dirname(file))
  const bytes = crypto.getRandomValues(new Uint8Array(40))
  const draft = `${file}.${Buffer.from(bytes.subarray(32)).toString('hex')}`
  try {
    const made = await open(draft, 'wx', 0o600)
    try {
      await made.writeFile(`${Buffer.from(bytes.subarray(0, 32)).toString('hex')}\n`)
      await made.sync()
    } finally {
      await made.close()
    }
    await link(draft, file)
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
  } finally {
    await rm(draft, { force: true })
  }
}

/** The master secret of one machine: a file that only its owner can read, made at the first start. */
export const secretFile = (file: string) => async (): Promise<Uint8Array<ArrayBuffer>> => {
  try {
    await make(file)
    const text = (await readFile(file, 'utf8')).trim()
    if (!/^[0-9a-f]{64}$/.test(text))
      throw new Error('it does not hold 64 hexadecimal digits; restore it from a backup')
    return new Uint8Array(Buffer.from(text, 'hex'))
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    const hint =
      codeOf(cause) === undefined
        ? ''
        : '; choose another folder, or let this user read and write there'
    throw failure('cannot-start', `The secret file ${file} cannot be used: ${reason}${hint}`, {
      cause,
    })
  }
}

/** A master secret given as text, for setups of several hosts: at least 32 characters. */
export const secretText =
  (text: string, setting: string) => async (): Promise<Uint8Array<ArrayBuffer>> => {
    if (text.length < 32)
      throw failure(
        'misconfigured',
        `${setting} must have at least 32 characters; it has ${text.length}`,
      )
    return new TextEncoder().encode(text)
  }
