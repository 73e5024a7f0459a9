import { execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ServalError } from '../../base/failure.ts'
import { pglite } from './index.ts'
import { lockFolder } from './lock.ts'

const here = dirname(fileURLToPath(import.meta.url))
const root = mkdtempSync(join(tmpdir(), 'serval-pglite-test-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
let folders = 0
const newFolder = () => join(root, `data${(folders += 1)}`)

const refusal = async (folder: string): Promise<string> => {
  const server = pglite({ folder })
  try {
    await server.open('orders')
  } catch (error) {
    expect((error as ServalError).code).toBe('cannot-start')
    return (error as Error).message
  } finally {
    await server.close()
  }
  throw new Error('it started')
}

/** A program that opens the folder, says each row after its commit, and never ends by itself. */
const program = `
  import { pglite } from ${JSON.stringify(join(here, 'index.ts'))}
  const database = await pglite({ folder: process.argv[2] }).open('orders')
  await database.script('create table if not exists item (id integer primary key, body text)')
  const [{ next }] = await database.read((s) => s.query('select coalesce(max(id), 0) + 1 as next from item'))
  process.stdout.write('open\\n')
  for (let id = next; ; id += 1) {
    await database.transaction(async (s) => {
      s.write('insert into item values ($1, $2)', [id, 'x'.repeat(id % 2000)], { rows: 1, otherwise: 'again' })
    })
    if (!process.stdout.write(id + '\\n')) await new Promise((done) => process.stdout.once('drain', done))
  }`

/** Kills the program with SIGKILL once it has said `enough` rows; the last one that it said. */
const writeUntilKilled = async (folder: string, enough: number): Promise<number> => {
  const script = join(root, 'writer.ts')
  writeFileSync(script, program)
  const child = spawn(process.execPath, [script, folder], { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  let errors = ''
  let last = 0
  let count = 0
  child.stderr.on('data', (chunk) => (errors += String(chunk)))
  child.stdout.on('data', (chunk) => {
    const lines = (said + String(chunk)).split('\n')
    said = lines.pop()!
    count += lines.length
    if (lines.length > 0) last = Number(lines.at(-1)) || last
    if (count > enough) child.kill('SIGKILL')
  })
  await new Promise((resolve) => child.once('close', resolve))
  if (child.signalCode !== 'SIGKILL') throw new Error(`the writer ended by itself: ${errors}`)
  return last
}

describe('a data folder', () => {
  const original = newFolder()
  beforeAll(async () => {
    const server = pglite({ folder: original })
    const database = await server.open('orders')
    await database.script('create table item (id integer primary key)')
    await database.transaction(async (session) => session.write('insert into item values (7)'))
    await server.close()
  }, 60_000)

  const rowsOf = async (folder: string, text = 'select id from item order by id') => {
    const server = pglite({ folder })
    try {
      const database = await server.open('orders')
      return await database.read((session) => session.query(text))
    } finally {
      await server.close()
    }
  }

  test('keeps its rows over a close', async () => {
    expect(await rowsOf(original)).toEqual([{ id: 7 }])
  })

  test('is open to its own user only, and leaves no lock behind', () => {
    expect(statSync(original).mode & 0o777).toBe(0o700)
    expect(readdirSync(original)).toEqual(['data'])
  })

  test('loses no acknowledged row to SIGKILL, again and again', async () => {
    const folder = newFolder()
    for (const enough of [1, 300]) {
      const last = await writeUntilKilled(folder, enough)
      expect(last).toBeGreaterThan(0)
      const [row] = await rowsOf(folder, 'select count(*) as count, max(id) as last from item')
      // Rows are written in order, so that a lost one would be a gap.
      expect(row!['count']).toBe(row!['last'])
      expect(row!['last']).toBeGreaterThanOrEqual(last)
    }
  }, 60_000)

  test('is opened by one at a time, within a process too', async () => {
    const server = pglite({ folder: original })
    await server.open('orders')
    const message = await refusal(original)
    expect(message).toContain(original)
    expect(message).toContain(`process ${process.pid}`)
    await server.close()
    expect(await rowsOf(original)).toEqual([{ id: 7 }])
  })

  test('is not opened while another process holds it', async () => {
    const folder = newFolder()
    const script = join(root, 'holder.ts')
    writeFileSync(script, program)
    const child = spawn(process.execPath, [script, folder], { stdio: ['ignore', 'pipe', 'ignore'] })
    await new Promise((resolve) => child.stdout.once('data', resolve))
    child.stdout.resume()
    const message = await refusal(folder)
    const exited = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await exited
    expect(message).toContain(`process ${child.pid}`)
    expect(message).toContain(folder)
    expect((await rowsOf(folder, 'select count(*) as count from item')).length).toBe(1)
  }, 60_000)

  test('is taken over from a process that is gone, also when its id is used again', () => {
    const folder = newFolder()
    mkdirSync(folder)
    const path = join(folder, 'serval.lock')
    lockFolder(folder).release()
    expect(existsSync(path)).toBe(false)
    const own = lockFolder(folder)
    const held = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>
    own.release()
    for (const stale of [
      { ...held, started: 'earlier' },
      { ...held, pid: 2 ** 22 + 1 },
      { ...held, pid: 2 ** 22 + 1, started: undefined },
      {},
    ]) {
      writeFileSync(path, JSON.stringify(stale))
      const lock = lockFolder(folder)
      expect(lock.held()).toBe(true)
      lock.release()
    }
    // Half a file, from a machine that lost its power.
    writeFileSync(path, '{"pid":')
    lockFolder(folder).release()
    expect(readdirSync(folder)).toEqual([])
  })

  test('is taken over once, by whoever may follow the one that died', () => {
    const folder = newFolder()
    mkdirSync(folder)
    const path = join(folder, 'serval.lock')
    const own = lockFolder(folder)
    const alive = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>
    own.release()
    const dead = (token: string) => JSON.stringify({ ...alive, started: 'earlier', token })
    const after = (text: string) =>
      `${path}.after-${createHash('sha256').update(text).digest('hex').slice(0, 32)}`
    // The one that may replace the first lock lives: it is about to.
    writeFileSync(path, dead('first'))
    writeFileSync(after(dead('first')), JSON.stringify({ ...alive, token: 'successor' }))
    expect(() => lockFolder(folder)).toThrow(`in use by process ${process.pid}`)
    expect(readFileSync(path, 'utf8')).toBe(dead('first'))
    // It died before it did.
    writeFileSync(after(dead('first')), dead('successor'))
    const lock = lockFolder(folder)
    expect(lock.held()).toBe(true)
    expect(readdirSync(folder)).toEqual(['serval.lock'])
    lock.release()
  })

  test('of another machine is left to it while it shows life', () => {
    const folder = newFolder()
    mkdirSync(folder)
    const lock = JSON.stringify({ pid: 1, started: 'x', host: 'elsewhere', token: 'y' })
    writeFileSync(join(folder, 'serval.lock'), lock)
    expect(() => lockFolder(folder)).toThrow(/process 1 on elsewhere/)
  })

  test('that a kill left half made is made anew', async () => {
    const folder = newFolder()
    mkdirSync(join(folder, 'data.new-123', 'base'), { recursive: true })
    writeFileSync(join(folder, 'data.new-123', 'PG_VERSION'), '18\n')
    expect(await rowsOf(folder, 'select 1 as one')).toEqual([{ one: 1 }])
    expect(readdirSync(folder)).toEqual(['data'])
  })

  test('that is a file is refused', async () => {
    const path = newFolder()
    writeFileSync(path, 'mine')
    expect(await refusal(path)).toContain(`${path} is a file`)
    expect(await refusal(join(path, 'below'))).toContain(join(path, 'below'))
    expect(readFileSync(path, 'utf8')).toBe('mine')
  })

  test('that holds something else is refused and left alone', async () => {
    const folder = newFolder()
    mkdirSync(folder)
    writeFileSync(join(folder, 'thesis.txt'), 'mine')
    const message = await refusal(folder)
    expect(message).toContain('thesis.txt')
    expect(readdirSync(folder)).toEqual(['thesis.txt'])
  })

  for (const [what, make] of [
    ['a folder', (path: string) => mkdirSync(path)],
    ['a link to nothing', (path: string) => symlinkSync('nowhere', path)],
    ['a link to itself', (path: string) => symlinkSync('serval.lock', path)],
    ['a link to a file', (path: string) => symlinkSync('/etc/hosts', path)],
    ['a pipe', (path: string) => execFileSync('mkfifo', [path])],
  ] as const)
    test(`whose lock is ${what} is refused and left alone`, async () => {
      const folder = newFolder()
      mkdirSync(folder)
      const path = join(folder, 'serval.lock')
      make(path)
      expect(await refusal(folder)).toMatch(
        new RegExp(`data folder ${folder} cannot be locked .*${path} is not a file.*remove it`),
      )
      expect(readdirSync(folder)).toEqual(['serval.lock'])
    })

  test('whose lock becomes something else is not held any more', () => {
    const folder = newFolder()
    mkdirSync(folder)
    const lock = lockFolder(folder)
    rmSync(join(folder, 'serval.lock'))
    mkdirSync(join(folder, 'serval.lock'))
    expect(lock.held()).toBe(false)
    lock.release()
    expect(readdirSync(folder)).toEqual(['serval.lock'])
  })

  const superuser = process.getuid?.() === 0
  const why = superuser ? ' [skipped: root may write everywhere]' : ''
  // Who may not replace another user's file in a folder like /tmp.
  const [asNobody, whyNot] = [process.seteuid, superuser ? '' : ' [skipped: needs two users]']
  test.skipIf(!superuser)(`whose dead holder cannot be replaced is left as it was${whyNot}`, () => {
    const folder = newFolder()
    mkdirSync(folder)
    chmodSync(root, 0o711)
    chmodSync(folder, 0o1777)
    writeFileSync(
      join(folder, 'serval.lock'),
      JSON.stringify({ pid: 0, started: '', host: hostname() }),
    )
    asNobody?.(65_534)
    try {
      expect(() => lockFolder(folder)).toThrow(/cannot be locked \((EPERM|.*not permitted)/)
    } finally {
      asNobody?.(0)
    }
    expect(readdirSync(folder)).toEqual(['serval.lock'])
  })

  test.skipIf(!superuser)(`whose lock cannot be read is refused${whyNot}`, () => {
    const folder = newFolder()
    mkdirSync(folder)
    chmodSync(root, 0o711)
    chmodSync(folder, 0o777)
    writeFileSync(join(folder, 'serval.lock'), 'mine', { mode: 0o600 })
    asNobody?.(65_534)
    try {
      expect(() => lockFolder(folder)).toThrow(/cannot be locked \(EACCES.*serval\.lock/)
    } finally {
      asNobody?.(0)
    }
    expect(readdirSync(folder)).toEqual(['serval.lock'])
  })

  test.skipIf(superuser)(`that cannot be written is refused${why}`, async () => {
    const folder = newFolder()
    mkdirSync(folder)
    chmodSync(folder, 0o500)
    expect(await refusal(folder)).toContain(`${folder} cannot be written`)
    chmodSync(folder, 0o700)
  })

  const damages: Record<string, (data: string) => void> = {
    'a truncated control file': (data) => truncateSync(join(data, 'global/pg_control'), 100),
    'a control file of noise': (data) =>
      writeFileSync(join(data, 'global/pg_control'), Buffer.alloc(8192, 'noise')),
    'no version': (data) => rmSync(join(data, 'PG_VERSION')),
    'another version': (data) => writeFileSync(join(data, 'PG_VERSION'), '12\n'),
    'no transaction states': (data) => rmSync(join(data, 'pg_xact/0000')),
    'no log': (data) => {
      const log = join(data, 'pg_wal')
      for (const name of readdirSync(log)) if (/^[0-9A-F]{24}$/.test(name)) rmSync(join(log, name))
    },
    'no list of tables': (data) => rmSync(join(data, 'base/5/1259')),
  }
  for (const [what, damage] of Object.entries(damages))
    test(`with ${what} is refused quickly, and nothing is removed`, async () => {
      const folder = newFolder()
      cpSync(original, folder, { recursive: true })
      damage(join(folder, 'data'))
      const files = () => readdirSync(join(folder, 'data/base'), { recursive: true }).map(String)
      // Each start makes this cache anew.
      const count = () => files().filter((path) => !path.endsWith('pg_internal.init')).length
      const before = count()
      const message = await refusal(folder)
      expect(message).toContain(folder)
      expect(message).toContain('backup')
      expect(message).not.toContain('\n')
      expect(count()).toBe(before)
    })
})
