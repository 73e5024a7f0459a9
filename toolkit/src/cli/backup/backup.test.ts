import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { packTar, unpackTar, type ParsedTarEntryWithData } from 'modern-tar'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { pglite } from '../../engines/pglite/index.ts'
import { lockFolder } from '../../engines/pglite/lock.ts'
import { recordingTerminal } from '../recording-terminal.suite.ts'
import { serval } from '../serval.ts'
import type { Manifest } from './manifest.ts'

const root = mkdtempSync(join(tmpdir(), 'serval-backup-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
let places = 0
const newPlace = () => {
  const place = join(root, `${(places += 1)}`)
  mkdirSync(place)
  return place
}

const run = async (...args: string[]) => {
  const terminal = recordingTerminal()
  return { code: await serval(args, terminal), ...terminal.said }
}
const done = async (...args: string[]) => {
  const result = await run(...args)
  expect(result).toMatchObject({ code: 0, err: '' })
  return result
}

/** Each path under a folder, with its mode and content: what “nothing was changed” means. */
const pictureOf = (folder: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(folder, { recursive: true })
      .map(String)
      .toSorted()
      .map((path) => {
        const found = lstatSync(join(folder, path))
        const content = found.isFile() ? readFileSync(join(folder, path), 'base64') : ''
        return [path, `${(found.mode & 0o777).toString(8)} ${content}`]
      }),
  )

/** A data folder with all that is special about one, and a database that is none, so that it is small. */
const makeData = (folder: string, content = 'rows') => {
  const data = join(folder, 'database/data')
  mkdirSync(join(data, 'pg_notify'), { recursive: true })
  writeFileSync(join(data, 'PG_VERSION'), '18\n')
  writeFileSync(join(data, 'base'), content.repeat(5_000))
  writeFileSync(join(data, 'empty'), '')
  chmodSync(join(folder, 'database'), 0o700)
  writeFileSync(join(folder, 'secret'), 'a'.repeat(64), { mode: 0o600 })
  writeFileSync(join(folder, 'Käsekuchen.txt'), 'ü')
  return folder
}

describe('the data of an embedded PostgreSQL', () => {
  const place = newPlace()
  const data = join(place, 'data')
  const archive = join(place, 'b.tar.gz')
  const rowsOf = async (folder: string) => {
    const server = pglite({ folder })
    try {
      const database = await server.open('orders')
      return await database.read((session) => session.query('select id from item order by id'))
    } finally {
      await server.close()
    }
  }
  beforeAll(async () => {
    const server = pglite({ folder: join(data, 'database') })
    const database = await server.open('orders')
    await database.script('create table item (id integer primary key)')
    await database.transaction(async (session) => session.write('insert into item values (7)'))
    await server.close()
    writeFileSync(join(data, 'secret'), 'a'.repeat(64), { mode: 0o600 })
    await done('backup', archive, '--data', data)
  }, 60_000)

  test('comes back, with the modes of its files', async () => {
    const before = pictureOf(data)
    rmSync(data, { recursive: true })
    const { out } = await done('restore', archive, '--data', data)
    expect(out).toContain(`${data} holds what ${archive} held`)
    const after = pictureOf(data)
    const kept = Object.entries(before).filter(([path]) => !path.endsWith('pg_internal.init'))
    expect(after).toEqual(Object.fromEntries(kept))
    expect(statSync(join(data, 'secret')).mode & 0o777).toBe(0o600)
    expect(await rowsOf(join(data, 'database'))).toEqual([{ id: 7 }])
  }, 60_000)

  test('can also be unpacked with tar alone', async () => {
    const other = newPlace()
    expect(spawnSync('tar', ['-xzf', archive, '-C', other]).status).toBe(0)
    expect(await rowsOf(join(other, 'data/database'))).toEqual([{ id: 7 }])
  }, 60_000)

  test('is not read or replaced while a process has it open', async () => {
    const server = pglite({ folder: join(data, 'database') })
    await server.open('orders')
    const before = readdirSync(place)
    const refused = [
      await run('backup', join(place, 'c.tar.gz'), '--data', data),
      await run('restore', archive, '--data', data),
      await run('restore', archive, '--data', data, '--force'),
    ]
    await server.close()
    for (const { code, err } of refused) {
      expect(code).toBe(1)
      expect(err).toContain(`is running (process ${process.pid}): stop it first`)
    }
    expect(readdirSync(place)).toEqual(before)
    expect(await rowsOf(join(data, 'database'))).toEqual([{ id: 7 }])
  }, 60_000)
})

describe('a backup', () => {
  test('is for its owner alone, and shows how far it is', async () => {
    const place = newPlace()
    const archive = join(place, 'b.tar.gz')
    const { out, progress } = await done('backup', archive, '--data', makeData(join(place, 'data')))
    expect(statSync(archive).mode & 0o777).toBe(0o600)
    expect(out).toContain('5 files')
    expect(progress.some((line) => /^packing [\d.]+ MB of [\d.]+ MB$/.test(line))).toBe(true)
    expect((await done('restore', archive, '--check')).out).toContain('is whole: 5 files')
    expect(readdirSync(place).toSorted()).toEqual(['b.tar.gz', 'data'])
  })

  test('of a folder that a killed process left is made', async () => {
    const place = newPlace()
    const data = makeData(join(place, 'data'))
    const lock = { pid: 2 ** 22 + 1, started: 'x', host: hostname(), token: 'y' }
    writeFileSync(join(data, 'database/serval.lock'), JSON.stringify(lock))
    await done('backup', join(place, 'b.tar.gz'), '--data', data)
    expect(existsSync(join(data, 'database/serval.lock'))).toBe(false)
  })

  const refusals: Record<string, (place: string, data: string) => [archive: string, says: string]> =
    {
      'there is no data': (place, data) => {
        rmSync(data, { recursive: true })
        return [join(place, 'b.tar.gz'), 'does not exist']
      },
      'the databases are elsewhere': (place, data) => {
        rmSync(join(data, 'database'), { recursive: true })
        return [join(place, 'b.tar.gz'), 'pg_dump']
      },
      'the file exists': (place) => {
        writeFileSync(join(place, 'b.tar.gz'), 'mine')
        return [join(place, 'b.tar.gz'), 'overwrites nothing']
      },
      'the file would lie in the data': (_, data) => [join(data, 'b.tar.gz'), 'keep backups elsewhere'], // prettier-ignore
      'there is no such folder': (place) => [join(place, 'no/b.tar.gz'), 'does not exist'],
      'the data leads elsewhere': (place, data) => {
        symlinkSync('/etc', join(data, 'link'))
        return [join(place, 'b.tar.gz'), 'neither a file nor a folder']
      },
    }
  for (const [why, arrange] of Object.entries(refusals))
    test(`is refused when ${why}, and leaves nothing behind`, async () => {
      const place = newPlace()
      const data = makeData(join(place, 'data'))
      const [archive, says] = arrange(place, data)
      const before = pictureOf(place)
      const { code, err } = await run('backup', archive, '--data', data)
      expect(code).not.toBe(0)
      expect(err).toContain(says)
      expect(pictureOf(place)).toEqual(before)
    })
})

describe('a restore', () => {
  const origin = newPlace()
  const archive = join(origin, 'b.tar.gz')
  beforeAll(async () => {
    await done('backup', archive, '--data', makeData(join(origin, 'data')))
  })

  test('goes into a folder that is empty or not there', async () => {
    const place = newPlace()
    mkdirSync(join(place, 'empty'))
    for (const name of ['empty', 'fresh']) {
      await done('restore', archive, '--data', join(place, name))
      expect(pictureOf(join(place, name))).toEqual(pictureOf(join(origin, 'data')))
    }
    expect(readdirSync(place).toSorted()).toEqual(['empty', 'fresh'])
  })

  test('refuses to overwrite, and moves data aside when told', async () => {
    const place = newPlace()
    const data = makeData(join(place, 'data'), 'other')
    const before = pictureOf(data)
    const { code, err } = await run('restore', archive, '--data', data)
    expect(code).toBe(1)
    expect(err).toContain('is there already, and nothing was changed')
    expect(pictureOf(data)).toEqual(before)
    const { out } = await done('restore', archive, '--data', data, '--force')
    expect(pictureOf(data)).toEqual(pictureOf(join(origin, 'data')))
    const [aside = ''] = readdirSync(place).filter((name) => name.startsWith('data.before-'))
    expect(out).toContain(aside)
    expect(pictureOf(join(place, aside))).toEqual(before)
  })

  test('refuses a folder whose process shows life elsewhere, also when told', async () => {
    const place = newPlace()
    const data = makeData(join(place, 'data'))
    const lock = lockFolder(join(data, 'database'))
    const { code } = await run('restore', archive, '--data', data, '--force')
    lock.release()
    expect(code).toBe(1)
    expect(readdirSync(place)).toEqual(['data'])
  })

  /** Nothing at the place has changed, whether there was data or not. */
  const refused = async (bytes: Uint8Array, says: string | RegExp) => {
    const place = newPlace()
    const file = join(place, 'b.tar.gz')
    writeFileSync(file, bytes)
    const data = makeData(join(place, 'data'), 'other')
    const before = pictureOf(place)
    for (const args of [['--data', data, '--force'], ['--data', join(place, 'new')], ['--check']]) {
      const { code, err } = await run('restore', file, ...args)
      expect(code).toBe(1)
      expect(err).toMatch(says)
      expect(pictureOf(place)).toEqual(before)
    }
  }

  test('of a file that is cut off changes nothing, wherever it is cut', async () => {
    const whole = readFileSync(archive)
    const cuts = [0, 1, 10, 100, 400, whole.length - 400, whole.length - 9, whole.length - 1]
    for (const end of cuts) await refused(whole.subarray(0, end), 'is damaged or no backup')
  })

  const holdsTheSame = (bytes: Uint8Array, whole: Uint8Array): boolean => {
    try {
      return gunzipSync(bytes).equals(gunzipSync(whole))
    } catch {
      return false
    }
  }

  test('of a file with a byte that is wrong changes nothing, wherever it is', async () => {
    const whole = readFileSync(archive)
    // The gzip header's time, flags and system (RFC 1952) mean nothing for what it holds.
    for (let at = 10; at < whole.length; at += Math.ceil(whole.length / 25)) {
      const bytes = Uint8Array.from(whole)
      bytes[at] = (bytes[at] ?? 0) ^ 0x10
      // The same bytes can be packed in many ways.
      if (holdsTheSame(bytes, whole)) continue
      await refused(bytes, 'is damaged or no backup')
    }
  }, 60_000)

  test('of something else changes nothing', async () => {
    await refused(new TextEncoder().encode('my thesis'), 'is damaged or no backup')
    await refused(gzipSync('my thesis'), 'is damaged or no backup')
    await refused(gzipSync(await packTar([{ header: { name: 'a', size: 1 }, body: 'x' }])), 'is not its first entry') // prettier-ignore
  })

  type Tamper = (
    entries: ParsedTarEntryWithData[],
    manifest: (change: (manifest: Manifest) => object) => void,
  ) => void
  const at = (entries: ParsedTarEntryWithData[], name: string) =>
    entries.findIndex(({ header }) => header.name === name)
  const file = (name: string): ParsedTarEntryWithData => ({
    header: { name, size: 1 },
    data: Uint8Array.of(65),
  })
  const tampered: Record<string, [tamper: Tamper, says: string]> = {
    'other bytes of the same length': [
      (entries) => entries[at(entries, 'data/secret')]!.data!.fill(98),
      'the checksum of data/secret is wrong',
    ],
    'another length': [
      (entries) => entries.splice(at(entries, 'data/secret'), 1, file('data/secret')),
      'data/secret is not what',
    ],
    'a file less': [
      (entries) => entries.splice(at(entries, 'data/secret'), 1),
      'data/secret is missing',
    ],
    'a file more': [(entries) => entries.push(file('data/more')), 'data/more is not what'],
    'a file twice': [
      (entries) => entries.push(entries[at(entries, 'data/secret')]!),
      'data/secret is not what',
    ],
    'a link': [
      (entries) => entries.push({ header: { name: 'data/l', size: 0, type: 'symlink', linkname: '/etc' } }), // prettier-ignore
      'data/l is not what',
    ],
    'a link instead of a file': [
      (entries) => entries.splice(at(entries, 'data/database/data/empty'), 1, { header: { name: 'data/database/data/empty', size: 0, type: 'symlink', linkname: '/etc' } }), // prettier-ignore
      'data/database/data/empty is not what',
    ],
    'a way out': [
      (_, manifest) =>
        manifest((was) => ({ ...was, files: [...was.files, { ...was.files[0]!, path: '../out' }] })), // prettier-ignore
      'must be a path inside of the data folder',
    ],
    'a way out by a folder': [
      (_, manifest) =>
        manifest((was) => ({ ...was, folders: [...was.folders, { path: '/tmp/x', mode: 0o700 }] })),
      'must be a path inside of the data folder',
    ],
    'a later form': [
      (_, manifest) => manifest((was) => ({ ...was, format: 2 })),
      'a later version',
    ],
    'another PostgreSQL': [
      (_, manifest) =>
        manifest((was) => ({ ...was, databases: [{ path: 'database', postgres: '12' }] })),
      'holds a database of PostgreSQL 12',
    ],
    'no manifest that is JSON': [
      (entries) => entries[0]!.data!.fill(32),
      'serval-backup.json cannot be read',
    ],
  }
  for (const [what, [tamper, says]] of Object.entries(tampered))
    test(`of a file with ${what} changes nothing`, async () => {
      const entries = await unpackTar(gunzipSync(readFileSync(archive)))
      const [first] = entries
      tamper(entries, (change) => {
        const was = JSON.parse(new TextDecoder().decode(first!.data)) as Manifest
        const data = new TextEncoder().encode(JSON.stringify(change(was)))
        entries[0] = { header: { ...first!.header, size: data.length }, data }
      })
      await refused(gzipSync(await packTar(entries)), says)
    })
})
