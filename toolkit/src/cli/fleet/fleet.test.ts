import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { eventually } from '../../testing/eventually.ts'
import { recordingTerminal } from '../recording-terminal.suite.ts'
import { serval } from '../serval.ts'
import { endOrphans, runs, type NotedHost } from './orphans.ts'
import { claimFolder, leftState, readState, writeState } from './state.ts'

const folders: string[] = []
const children: ChildProcess[] = []
const folder = (): string => {
  const made = mkdtempSync(join(tmpdir(), 'serval-fleet-'))
  folders.push(made)
  return made
}

const orphans: NotedHost[] = []
afterEach(async () => {
  await endOrphans(orphans.splice(0), 0)
  for (const child of children.splice(0)) child.kill('SIGKILL')
  for (const made of folders.splice(0)) rmSync(made, { recursive: true, force: true })
})

const run = async (...args: string[]) => {
  const terminal = recordingTerminal()
  return { code: await serval(args, terminal), ...terminal.said }
}

let count = 0
/** A process that a supervisor could have left behind. */
const left = async (program = 'setInterval(() => undefined, 1_000)'): Promise<NotedHost> => {
  const id = `host-${process.pid}-${(count += 1)}`
  const main = join(folder(), 'main.mjs')
  writeFileSync(main, `${program}\nconsole.log('ready')`)
  const child = spawn(process.execPath, [main, '--id', id], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(child)
  await once(child.stdout, 'data')
  return { id, name: `role.${count}`, pid: child.pid ?? 0 }
}

const endedPid = async (): Promise<number> => {
  const child = spawn(process.execPath, ['--version'], { stdio: 'ignore' })
  await once(child, 'exit')
  return child.pid ?? 0
}

const state = (pid: number, hosts: NotedHost[] = []) => ({
  address: 'http://127.0.0.1:1',
  key: 'key',
  pid,
  hosts,
})

test('a process is known by what it was started with, not by its number alone', async () => {
  const host = await left()
  expect(runs(host)).toBe(true)
  expect(runs({ ...host, id: 'another' })).toBe(false)
  expect(runs({ ...host, pid: await endedPid() })).toBe(false)
})

test('who is left behind is asked to end, and killed when it does not', async () => {
  const [obedient, deaf] = [
    await left(),
    await left(`process.on('SIGTERM', () => undefined)
    setInterval(() => undefined, 1_000)`),
  ]
  await endOrphans([obedient], 20_000)
  expect(runs(obedient)).toBe(false)
  await endOrphans([deaf], 0)
  expect(runs(deaf)).toBe(false)
})

test('a folder holds one fleet', async () => {
  const data = folder()
  const supervisor = await left()
  writeState(data, state(supervisor.pid))
  expect(readState(data)?.pid).toBe(supervisor.pid)
  expect(() => claimFolder(data)).toThrow(/a fleet runs from the folder .* already \(process \d+\)/)
  writeState(data, state(await endedPid()))
  expect(readState(data)).toBeUndefined()
  writeFileSync(join(data, 'fleet.lock'), `${supervisor.pid}\n`)
  expect(() => claimFolder(data)).toThrow(/a fleet runs from the folder/)
  writeFileSync(join(data, 'fleet.lock'), `${await endedPid()}\n`)
  const release = claimFolder(data)
  release()
  expect(existsSync(join(data, 'fleet.lock'))).toBe(false)
})

test('programs that a fleet starts keep compiled code in its data folder, or where they are told to', async () => {
  const data = folder()
  const main = join(data, 'main.mjs')
  writeFileSync(main, `process.stderr.write(process.env.NODE_COMPILE_CACHE)\nprocess.exitCode = 1`)
  const before = process.env['NODE_COMPILE_CACHE']
  try {
    delete process.env['NODE_COMPILE_CACHE']
    expect((await run('up', '--data', data, '--main', main)).err).toContain(join(data, 'compiled'))
    process.env['NODE_COMPILE_CACHE'] = join(data, 'elsewhere')
    expect((await run('up', '--data', data, '--main', main)).err).toContain(join(data, 'elsewhere'))
  } finally {
    if (before === undefined) delete process.env['NODE_COMPILE_CACHE']
    else process.env['NODE_COMPILE_CACHE'] = before
  }
})

test('hosts that outlive their supervisor are named, and ended by serval down', async () => {
  const data = folder()
  const [one, other] = [await left(), await left()]
  writeState(data, state(await endedPid(), [one, other, { ...one, id: 'gone', name: 'gone.1' }]))
  const main = join(data, 'main.ts')
  const up = await run('up', '--data', data, '--main', main)
  expect(up.err).toContain(`2 of its processes still run: ${one.name} (${one.pid}), ${other.name}`)
  expect((await run('status', '--data', data)).err).toContain('serval down ends the 2 processes')
  expect(await run('down', '--data', data)).toMatchObject({
    code: 0,
    out: expect.stringContaining('the 2 processes that it left have ended too'),
  })
  expect([runs(one), runs(other), leftState(data)]).toEqual([false, false, undefined])
  expect((await run('down', '--data', data)).err).toContain('no fleet runs from the folder')
})

/** A fleet of one process that never gets ready. */
const starting = async (onSigterm: string) => {
  const data = folder()
  const main = join(data, 'main.mjs')
  const plan = { services: ['a'], roles: { all: { services: 'all', edge: true } } }
  writeFileSync(
    main,
    `if (process.argv.includes('--plan')) console.log(${JSON.stringify(JSON.stringify(plan))})
    else {
      process.on('SIGTERM', () => ${onSigterm})
      setInterval(() => undefined, 1_000)
      console.log('running')
    }`,
  )
  const cli = join(import.meta.dirname, '../main.ts')
  const up = spawn(process.execPath, [cli, 'up', '--main', main, '--data', data, '--port', '0'], {
    stdio: 'pipe',
  })
  children.push(up)
  const said = { out: '', err: '' }
  up.stdout.setEncoding('utf8').on('data', (text: string) => (said.out += text))
  up.stderr.setEncoding('utf8').on('data', (text: string) => (said.err += text))
  await eventually(() => said.out.includes('running'), 'the fleet at work')
  const hosts = leftState(data)?.hosts ?? []
  expect(hosts.map(({ name }) => name)).toEqual(['all.1'])
  orphans.push(...hosts)
  return { up, data, said, hosts, closed: once(up, 'close') }
}

test('a fleet that is told to stop while it starts has ended as it was asked to', async () => {
  const { up, said, hosts, closed } = await starting('process.exit()')
  up.kill('SIGINT')
  await closed
  expect([up.exitCode, said.err, hosts.filter(runs)]).toEqual([0, '', []])
  expect(said.out).toContain('the fleet has ended')
})

test('so has one that serval down ends while it starts', async () => {
  const { up, data, said, hosts, closed } = await starting('process.exit()')
  const down = await run('down', '--data', data)
  await closed
  expect(down).toMatchObject({ code: 0, err: '', out: expect.stringContaining('has ended') })
  expect([up.exitCode, said.err, hosts.filter(runs)]).toEqual([0, '', []])
  expect(said.out).toContain('the fleet has ended')
})

test('one that is told twice ends at once, and leaves no process behind', async () => {
  const { up, said, hosts, closed } = await starting('undefined')
  up.kill('SIGINT')
  await eventually(() => said.out.includes('stopping'), 'the first answer')
  up.kill('SIGINT')
  await closed
  expect([up.exitCode, hosts.filter(runs)]).toEqual([130, []])
})

test('a file that is no state is no fleet', () => {
  const data = folder()
  for (const text of ['', '{', '{"pid":1}']) {
    writeFileSync(join(data, 'fleet.json'), text)
    expect(leftState(data)).toBeUndefined()
  }
})
