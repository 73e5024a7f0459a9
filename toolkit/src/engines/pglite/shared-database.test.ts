import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createConnection, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemEnv } from '../../base/env.ts'
import { eventually } from '../../testing/eventually.ts'
import { sqlServerSuite } from '../sql/database.suite.ts'
import type { SqlDatabase } from '../sql/database.ts'
import { frame, frameReader } from './frames.ts'
import { pglite } from './index.ts'
import { lockFolder } from './lock.ts'
import { Ask, version, Word } from './messages.ts'

const here = dirname(fileURLToPath(import.meta.url))
const root = mkdtempSync(join(tmpdir(), 'serval-shared-'))
const started: ReturnType<typeof spawn>[] = []
afterAll(() => {
  for (const child of started) child.kill('SIGKILL')
  rmSync(root, { recursive: true, force: true })
})
const newFolder = () => mkdtempSync(join(root, 'data-'))
const shared = (folder: string) => pglite({ folder, shared: true })
const table = 'create table if not exists item (id text primary key)'
const insert = 'insert into item values ($1)'
const ids = async (database: SqlDatabase) =>
  (await database.read((s) => s.query<{ id: string }>('select id from item order by id'))).map(
    ({ id }) => id,
  )
const refusal = (opening: Promise<unknown>): Promise<string> =>
  opening.then(
    () => 'it was opened',
    (error: Error) => error.message,
  )
/** A process that lends the folder's database. */
const lenderOf = async (folder: string) => {
  const script = join(root, 'lender.ts')
  writeFileSync(
    script,
    `import { pglite } from ${JSON.stringify(join(here, 'index.ts'))}
     await (await pglite({ folder: process.argv[2], shared: true }).open('orders')).script(${JSON.stringify(table)})
     process.stdout.write('open\\n')
     setInterval(() => undefined, 60_000)`,
  )
  const child = spawn(process.execPath, [script, folder], { stdio: ['ignore', 'pipe', 'inherit'] })
  started.push(child)
  await new Promise((resolve) => child.stdout.once('data', resolve))
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  return {
    kill: async () => {
      child.kill('SIGKILL')
      await ended
    },
  }
}

test('a lender that is killed takes with it what was not committed, and the next goes on', async () => {
  const folder = newFolder()
  const lender = await lenderOf(folder)
  const server = shared(folder)
  const database = await server.open('orders')
  let count = 0
  let killed = false
  const acknowledged: string[] = []
  const unknown: string[] = []
  const lane = async (asks: boolean) => {
    for (let after = 0; after < 5; after += killed ? 1 : 0) {
      const id = `${(count += 1)}`
      try {
        await database.transaction(async (session) => {
          session.write(insert, [`${id} a`], { rows: 1, otherwise: 'again' })
          if (asks) await session.query('select count(*) from item')
          session.write(insert, [`${id} b`])
        })
        acknowledged.push(id)
      } catch (error) {
        expect(error).toMatchObject({ sqlState: '', outcome: 'unknown' })
        unknown.push(id)
      }
    }
  }
  const lanes = [true, false, true, false].map(lane)
  await eventually(() => acknowledged.length > 15, 'some transactions')
  let runs = 0
  const held = database.transaction(async (session) => {
    await session.query('select 1')
    session.write(insert, ['held'])
    await session.query('select 1')
    if ((runs += 1) > 1) return
    await lender.kill()
    killed = true
    await session.query('select 1')
  })
  await Promise.all([...lanes, held])
  expect(runs).toBe(2)
  const found = await ids(database)
  const pairs = (of: readonly string[]) => of.flatMap((id) => [`${id} a`, `${id} b`])
  const carried = unknown.filter((id) => found.includes(`${id} a`))
  expect(found.toSorted()).toEqual([...pairs([...acknowledged, ...carried]), 'held'].toSorted())
  await server.close()
}, 60_000)

/** Something that says it lends the folder's database, and says no more than it is told to. */
const pretender = async (
  folder: string,
  version: number,
  hear: (ask: Ask, say: (word: Word) => void) => Word | 'later' | undefined,
  parted: () => void = () => undefined,
) => {
  const lock = lockFolder(folder, { lends: true })
  mkdirSync(join(folder, 'serval.lock.lent'))
  const server = createServer((socket) => {
    const say = (word: Word) => void socket.write(frame(word) ?? '')
    say({ version })
    socket.once('close', parted)
    const read = frameReader((message) => {
      const word = hear(Ask.parse(message), say)
      if (word === undefined) socket.destroy()
      else if (word !== 'later') say(word)
    })
    socket.on('data', read)
    socket.on('error', () => undefined)
  })
  await new Promise<void>((resolve) =>
    server.listen({ path: join(folder, 'serval.lock.lent/socket') }, resolve),
  )
  return () => {
    server.close()
    lock.release()
  }
}

test('a commit that was on its way when its lender ended has an unknown outcome', async () => {
  const folder = newFolder()
  const heard: string[] = []
  const end = await pretender(folder, version, (ask) => {
    heard.push(ask.do)
    return ask.do === 'send' && ask.commit ? undefined : { n: ask.n, rows: [] }
  })
  const server = shared(folder)
  const database = await server.open('orders')
  const committed = database.transaction(async (session) => {
    await session.query('select 1')
    session.write(insert, ['one'])
  })
  const lost = { sqlState: '', outcome: 'unknown', unreachable: true }
  await expect(committed).rejects.toMatchObject(lost)
  expect(heard).toEqual(['open', 'send', 'send'])
  await server.close()
  end()
})

test('so has one whose query nobody waited for, though that has surely no effect', async () => {
  const folder = newFolder()
  const heard: string[] = []
  const end = await pretender(folder, version, (ask) => {
    heard.push(ask.do)
    return ask.do === 'open' ? { n: ask.n, rows: [] } : undefined
  })
  const server = shared(folder)
  const database = await server.open('orders')
  let runs = 0
  const committed = database.transaction(async (session) => {
    // Were it run again, it would end here.
    if ((runs += 1) > 1) throw new Error('it was run again')
    void session.query('select 1').catch(() => undefined)
    session.write(insert, ['one'])
  })
  await expect(committed).rejects.toMatchObject({ sqlState: '', outcome: 'unknown' })
  expect(runs).toBe(1)
  await server.close()
  end()
})

const outcome = (made: Promise<unknown>) => made.catch((error: unknown) => error)

/** A lender that answers while it is not `hung`, and then what it has heard; with a borrower whose time a test lets pass. */
const hangingLender = async () => {
  const folder = newFolder()
  const heard: string[] = []
  const held: (() => void)[] = []
  const state = { hung: false }
  const end = await pretender(folder, version, (ask, say) => {
    heard.push(ask.do === 'read' ? ask.statement.text : ask.do)
    const word = { n: ask.n, rows: [] }
    if (!state.hung) return word
    held.push(() => say(word))
    return 'later'
  })
  const timers: { ms: number; run: () => void }[] = []
  const after = (ms: number, run: () => void) => {
    const timer = { ms, run }
    timers.push(timer)
    return () => void timers.splice(timers.indexOf(timer), 1)
  }
  return {
    state,
    heard,
    held,
    server: pglite({ folder, shared: true, env: { ...systemEnv(), after } }),
    pass: (ms: number) => {
      expect(timers.map((timer) => timer.ms)).toEqual([ms])
      timers.splice(0).forEach(({ run }) => run())
    },
    goOn: () => {
      state.hung = false
      held.splice(0).forEach((answer) => answer())
    },
    end,
  }
}
const quiet = {
  message: `process ${process.pid}, which lends its database, has not answered for 4 s`,
  sqlState: '',
  outcome: 'rolled-back',
}
const away = { code: 'store-unavailable', cause: expect.objectContaining(quiet) }

test('of a lender that hangs is told, and it is asked nothing new until it goes on', async () => {
  const { state, heard, held, server, pass, goOn, end } = await hangingLender()
  const database = await server.open('orders')
  const read = (text: string) => outcome(database.read((session) => session.query(text)))
  const commit = () =>
    outcome(database.transaction(async (session) => session.write(insert, ['one'])))
  state.hung = true
  const committed = commit()
  const begun = outcome(
    database.transaction(async (session) => {
      await session.query('select 1')
      session.write(insert, ['two'])
    }),
  )
  const asked = read('asked')
  await eventually(() => heard.length === 4, 'what is asked')
  pass(4_000)
  expect(await asked).toMatchObject(away)
  expect(await begun).toMatchObject(quiet)
  expect(await read('refused')).toMatchObject(away)
  goOn()
  expect(await committed).toBeUndefined()
  expect(await read('goes on')).toEqual([])
  expect(heard.slice(0, 4).toSorted()).toEqual(['asked', 'open', 'send', 'send'])
  expect(heard.slice(4)).toEqual(['rollback', 'goes on'])

  state.hung = true
  const doubted = commit()
  await eventually(() => held.length === 1, 'its commit')
  pass(4_000)
  pass(11_000)
  expect(await doubted).toMatchObject({ sqlState: '', outcome: 'unknown' })
  await server.close()
  end()
})

test('who opens what a busy lender lends may try again, and a migration waits', async () => {
  const { state, heard, server, pass, goOn, end } = await hangingLender()
  state.hung = true
  const opened = outcome(server.open('orders'))
  await eventually(() => heard.length === 1, 'the ask to open')
  pass(4_000)
  expect(await opened).toMatchObject(away)
  goOn()
  const database = await eventually(
    () => server.open('orders').catch(() => undefined),
    'its answer',
  )

  state.hung = true
  const read = outcome(database.read((session) => session.query('select 1')))
  await eventually(() => heard.length === 3, 'the read')
  pass(4_000)
  expect(await read).toMatchObject(away)
  const migrated = database.script(table)
  goOn()
  await migrated
  expect(heard).toEqual(['open', 'open', 'select 1', 'script'])
  await server.close()
  end()
})

test('a lender that does not yet lend may be waited for again', async () => {
  const folder = newFolder()
  const lock = lockFolder(folder, { lends: true })
  let passedMs = 0
  const env = { ...systemEnv(), now: () => (passedMs += 10_000) }
  const opened = await outcome(pglite({ folder, shared: true, env }).open('orders'))
  expect(opened).toMatchObject({ code: 'store-unavailable' })
  expect(String(opened)).toContain(
    `lent by process ${process.pid}, which has not answered for 30 s`,
  )
  lock.release()
})

test('a borrower that is told to leave ends what it has begun, and then parts', async () => {
  const folder = newFolder()
  const heard: string[] = []
  let parted: () => void = () => undefined
  const parting = new Promise<void>((resolve) => (parted = resolve))
  const end = await pretender(
    folder,
    version,
    (ask, say) => {
      heard.push(ask.do)
      if (heard.length === 2) say({ leaving: true })
      return { n: ask.n, rows: [] }
    },
    () => {
      heard.push('parted')
      parted()
    },
  )
  const server = shared(folder)
  const database = await server.open('orders')
  await database.transaction(async (session) => {
    await session.query('select 1')
    await session.query('select 1')
    session.write(insert, ['one'])
  })
  await parting
  expect(heard).toEqual(['open', 'send', 'send', 'send', 'parted'])
  await server.close()
  end()
})

test('a lender that has closed its database answers that it did not run what comes late', async () => {
  const folder = newFolder()
  const lender = shared(folder)
  await (await lender.open('orders')).script(table)
  const socket = createConnection({ path: join(folder, 'serval.lock.lent/socket') })
  const words: Word[] = []
  const read = frameReader((message) => words.push(Word.parse(message)))
  socket.on('data', read)
  await eventually(() => words.length === 1, 'its version')
  const closed = lender.close()
  await eventually(() => !readdirSync(folder).includes('serval.lock'), 'the end of the database')
  const commit = { do: 'send', n: 1, service: 'orders', transaction: 1 } as const
  const statements = [{ text: insert, values: ['late'] }]
  socket.write(frame({ ...commit, statements, begin: true, commit: true }) ?? '')
  await eventually(() => words.length === 3, 'its answer')
  expect(words.slice(1)).toEqual([{ leaving: true }, { n: 1, closed: true }])
  socket.destroy()
  await closed
})

test('a lender that is closed hands the database on, and nothing fails', async () => {
  const folder = newFolder()
  const lender = shared(folder)
  await (await lender.open('orders')).script(table)
  const servers = [shared(folder), shared(folder)]
  let closed = false
  const lanes = servers.map(async (server, at) => {
    const database = await server.open('orders')
    let count = 0
    for (let after = 0; after < 5; after += closed ? 1 : 0) {
      count += 1
      await database.transaction(async (session) => {
        session.write(insert, [`${at}.${count}`])
        if (count % 2 === 0) await session.query('select 1')
        if (count === 20) void lender.close().then(() => (closed = true))
      })
    }
    return count
  })
  const counts = await Promise.all(lanes)
  const expected = counts.flatMap((count, at) =>
    Array.from({ length: count }, (_, n) => `${at}.${n + 1}`),
  )
  for (const server of servers)
    expect((await ids(await server.open('orders'))).toSorted()).toEqual(expected.toSorted())
  for (const server of servers) await server.close()
  expect(readdirSync(folder)).toEqual(['data'])
}, 60_000)

describe('a lender', () => {
  const folder = newFolder()
  const idle: (() => void)[] = []
  const lender = pglite({
    folder,
    shared: true,
    env: {
      ...systemEnv(),
      after: (ms, run) => {
        if (ms === 5_000) idle.push(run)
        return () => undefined
      },
    },
  })
  let own: SqlDatabase
  beforeAll(async () => {
    own = await lender.open('orders')
    await own.script(table)
  }, 60_000)
  afterAll(() => lender.close())

  test('waits five seconds for a borrower that stops in a transaction', async () => {
    const borrower = shared(folder)
    const database = await borrower.open('orders')
    let goOn: () => void = () => undefined
    const stopped = new Promise<void>((resolve) => (goOn = resolve))
    const lent = database
      .transaction(async (session) => {
        session.write(insert, ['lent'])
        await session.query('select 1')
        await stopped
        await session.query('select 1')
      })
      .catch((error: unknown) => error)
    await eventually(() => idle.length > 0, 'the watch over the transaction')
    const others = own.transaction(async (session) => session.write(insert, ['own']))
    idle.splice(0).forEach((run) => run())
    await others
    goOn()
    expect(await lent).toMatchObject({ sqlState: '25P03', outcome: 'rolled-back' })
    expect(await ids(database)).toEqual(['own'])
    await borrower.close()
  })

  test('rolls back what a borrower had open that is gone', async () => {
    const borrower = shared(folder)
    const database = await borrower.open('orders')
    const lent = database
      .transaction(async (session) => {
        session.write(insert, ['gone'])
        await session.query('select 1')
        await borrower.close()
      })
      .catch((error: unknown) => error)
    expect(await lent).toMatchObject({ outcome: 'rolled-back', unreachable: true })
    expect(await ids(own)).not.toContain('gone')
  })

  test('has a socket for its owner, and does not listen to who speaks otherwise', async () => {
    const path = join(folder, 'serval.lock.lent/socket')
    expect(statSync(dirname(path)).mode & 0o777).toBe(0o700)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    const open = { do: 'open', n: 1 }
    for (const said of [
      Buffer.alloc(100, 0xff),
      Buffer.from([0, 0, 0, 1, 65]),
      frame({ do: 'drop', n: 1 }),
      frame({ ...open, service: 7 }),
      frame({ do: 'send', n: 1, service: 'orders', transaction: 1, begin: true, commit: true }),
    ]) {
      const socket = createConnection({ path })
      socket.on('error', () => undefined)
      const ended = new Promise((resolve) => socket.once('close', resolve))
      socket.resume()
      socket.write(said ?? '')
      await ended
    }
    const socket = createConnection({ path })
    const refused = new Promise<string>((resolve) => {
      let heard = ''
      socket.on('data', (chunk: Buffer) => {
        heard += chunk.toString()
        if (heard.includes('error')) resolve(heard)
      })
    })
    socket.write(frame({ ...open, service: 'x"; drop schema orders; --' }) ?? '')
    expect(await refused).toContain('must match')
    socket.destroy()
    expect(await own.read((session) => session.query('select 1 as one'))).toEqual([{ one: 1 }])
  })

  test('is not opened alone, and what is open alone is not lent', async () => {
    expect(await refusal(pglite({ folder }).open('orders'))).toContain('is in use by process')
    const other = newFolder()
    const lock = lockFolder(other)
    expect(await refusal(shared(other).open('orders'))).toContain('is in use by process')
    lock.release()
  })

  sqlServerSuite('PGlite, borrowed', () => shared(folder))
})

test('a lender of another release is not borrowed from', async () => {
  const folder = newFolder()
  const end = await pretender(folder, version + 1, () => undefined)
  const server = shared(folder)
  expect(await refusal(server.open('orders'))).toContain('another release')
  end()
})

test('a folder whose path is too long for a socket is refused', async () => {
  const folder = join(root, 'x'.repeat(120))
  expect(await refusal(shared(folder).open('orders'))).toMatch(/bytes too long: .* 103 bytes/)
  expect(() => pglite({ shared: true })).toThrow(/needs a folder/)
})
