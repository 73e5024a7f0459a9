import { execFile, spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { chmod, chown, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'

export interface PostgresServer {
  /** A superuser's URL. */
  readonly url: string
  /** Differs for each call, so that suites which share a server do not share databases. */
  readonly prefix: string
  /** Undefined for a server that somebody else started: it is not ours to stop and start. */
  readonly control?: {
    /** Ends the server as a crash would: no connection is told. */
    kill(): Promise<void>
    /** Ends the server as an administrator would: connections are closed with 57P01. */
    shutdown(): Promise<void>
    start(): Promise<void>
    /** Every process of the server does nothing (SIGSTOP), or goes on: no connection is closed. */
    freeze(): void
    thaw(): void
  }
  /** Stops the server and removes its folder. */
  stop(): Promise<void>
}

const run = promisify(execFile)

const postgresPrograms = (): string | undefined => {
  const debian = '/usr/lib/postgresql'
  const versions = existsSync(debian) ? readdirSync(debian) : []
  const candidates = versions
    .sort((a, b) => Number(b) - Number(a))
    .map((version) => join(debian, version, 'bin'))
    .concat((process.env['PATH'] ?? '').split(delimiter))
  return candidates.find(
    (folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres')),
  )
}

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo
      probe.close(() => resolve(port))
    })
  })

/** PostgreSQL refuses to run as root; Debian's package made the user `postgres`. */
const unprivileged = async (): Promise<{ as: string[]; uid: number; gid: number } | undefined> => {
  if (process.getuid?.() !== 0) return { as: [], uid: -1, gid: -1 }
  try {
    const id = async (flag: string) => Number((await run('id', [flag, 'postgres'])).stdout)
    const [uid, gid] = [await id('-u'), await id('-g')]
    return {
      as: ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', '--'],
      uid,
      gid,
    }
  } catch {
    return undefined
  }
}

let count = 0
const uniquePrefix = () => `t${process.pid}_${(count += 1)}_`

/**
 * A real server for tests, on a port of its own, with fsync on. With SERVAL_TEST_POSTGRES_URL it is that
 * server instead. The server ends with this process, also when this process is killed.
 */
export const startPostgres = async (): Promise<PostgresServer | { readonly missing: string }> => {
  const given = process.env['SERVAL_TEST_POSTGRES_URL']
  if (given) return { url: given, prefix: uniquePrefix(), stop: () => Promise.resolve() }
  return startOwnPostgres()
}

const missing = (reason: string) => {
  if (process.env['SERVAL_REQUIRE_POSTGRES'] === '1')
    throw new Error(`SERVAL_REQUIRE_POSTGRES=1, but ${reason}`)
  return { missing: reason }
}

/** Like startPostgres, but never a shared server: for tests that stop and start it. */
export const startOwnPostgres = async (): Promise<
  PostgresServer | { readonly missing: string }
> => {
  const programs = postgresPrograms()
  if (programs === undefined) return missing('no PostgreSQL server is installed (initdb, postgres)')
  const user = await unprivileged()
  if (!user)
    return missing('PostgreSQL does not run as root, and there is no user postgres with setpriv')

  const folder = await mkdtemp(join(tmpdir(), 'serval-postgres-'))
  const data = join(folder, 'data')
  const password = crypto.randomUUID()
  const passwordFile = join(folder, 'password')
  await writeFile(passwordFile, password)
  if (user.uid >= 0)
    for (const path of [folder, passwordFile]) await chown(path, user.uid, user.gid)
  await chmod(folder, 0o700)
  const as = (program: string, ...args: string[]) => {
    const [file, ...rest] = [...user.as, join(programs, program), ...args] as [string, ...string[]]
    return { file, args: rest }
  }
  const initdb = as(
    'initdb', '--no-sync', '--auth=scram-sha-256', '--username=admin', `--pwfile=${passwordFile}`,
    '--encoding=UTF8', '--locale=C', '-D', data) // prettier-ignore
  await run(initdb.file, initdb.args, { cwd: folder }).catch(async (error: unknown) => {
    await rm(folder, { recursive: true, force: true })
    throw error
  })
  await writeFile(
    join(data, 'postgresql.auto.conf'),
    [
      `listen_addresses = '127.0.0.1'`,
      `unix_socket_directories = '${folder}'`,
      'max_connections = 200',
      'shared_buffers = 64MB',
      'max_wal_size = 256MB',
      // Few pages are prepared for reuse at a time: the folder lives for one test run.
      'min_wal_size = 32MB',
      '',
    ].join('\n'),
  )
  const port = await freePort()
  const server = await supervise(as('postgres', '-D', data, '-p', `${port}`), folder)
  const url = `postgres://admin:${password}@127.0.0.1:${port}/postgres`
  return {
    url,
    prefix: uniquePrefix(),
    control: {
      kill: () => server.end('QUIT'),
      shutdown: () => server.end('INT'),
      start: () => server.start(),
      freeze: () => signalAll(data, 'SIGSTOP'),
      thaw: () => signalAll(data, 'SIGCONT'),
    },
    stop: async () => {
      await server.end('QUIT')
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** To the server in this folder, and the processes that it started: each has a group of its own. */
const signalAll = (data: string, signal: NodeJS.Signals): void => {
  const [server = ''] = readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')
  const started = readdirSync('/proc').filter((pid) => {
    try {
      // The parent is the second field behind the name, which may hold anything.
      const stat = readFileSync(join('/proc', pid, 'stat'), 'utf8')
      return stat.slice(stat.lastIndexOf(')')).split(' ')[2] === server
    } catch {
      return false
    }
  })
  for (const pid of [server, ...started]) process.kill(Number(pid), signal)
}

/**
 * The shell outlives us: when our end of its standard input closes, for whatever reason, it stops the server
 * and removes the folder. A line on it names the signal to send. What the server says goes to a file: a pipe
 * that nobody empties, while a test blocks, would stop the server.
 */
const guardian = `
folder=$1; shift
"$@" </dev/null >"$folder/log" 2>&1 & server=$!
if read -r signal; then kill -s "$signal" $server; wait $server; exit 0; fi
kill -s QUIT $server; wait $server; rm -rf "$folder"
`

const supervise = async (command: { file: string; args: string[] }, folder: string) => {
  let end: (signal: string) => Promise<void>
  const log = join(folder, 'log')
  const said = () => readFile(log, 'utf8').catch(() => '')
  const start = async () => {
    await rm(log, { force: true })
    // In a group of its own, so that an interrupt of the tests does not end the guardian first.
    const shell = spawn('sh', ['-c', guardian, 'sh', folder, command.file, ...command.args], {
      cwd: folder,
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    })
    const exited = new Promise<void>((resolve) => shell.once('exit', () => resolve()))
    end = async (signal) => {
      shell.ref()
      if (shell.exitCode === null) shell.stdin.write(`${signal}\n`)
      await exited
    }
    const deadline = performance.now() + 30_000
    while (!(await said()).includes('ready to accept connections')) {
      const reason = await said()
      // Clients that do not wait are refused with a FATAL of their own while it recovers.
      const fatal = /\bFATAL:(?!\s+the database system is )/.test(reason)
      if (fatal || performance.now() > deadline) {
        await end('QUIT')
        throw new Error(`PostgreSQL did not start:\n${reason}`)
      }
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    // A test that forgets to stop the server must still be able to end.
    shell.unref()
    ;(shell.stdin as { unref?(): void }).unref?.()
  }
  await start()
  return { start, end: (signal: string) => end(signal) }
}
