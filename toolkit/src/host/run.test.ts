import { execFile, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'

/* The main program as a person starts it: a process of its own, on the runtime that runs this test. */

const from = (file: string) => JSON.stringify(new URL(file, import.meta.url).href)
let folder: string
let main: string

const wiring = (change = '') => `
import { listenHttp } from ${from('../engines/http/index.ts')}
import { secretFile } from ${from('./secret.ts')}
export default {
  name: 'small',
  wire: (settings) => ({
    system: { name: 'small', title: 'Small', version: '1', services: [] },
    development: true,
    stores: { name: 'nothing', exclusive: true, open: () => { throw new Error('not asked') }, close: async () => {} },
    cache: { name: 'nothing', remote: false, open: async () => ({ get: async () => ({ kept: [] }), put: async () => {}, drop: async () => {}, close: async () => {} }) },
    ports: {},
    listen: listenHttp,
    edge: {},
    authenticate: () => async () => undefined,
    public: { host: '127.0.0.1', port: settings.port('SERVAL_PORT', 0) },
    operator: { host: '127.0.0.1', port: settings.port('SERVAL_OPERATOR_PORT', 0) },
    masterSecret: secretFile(settings.text('SERVAL_DATA', ${JSON.stringify(join(folder, 'data'))}) + '/secret'),
    ${change}
  }),
}
`
const file = async (name: string, text: string) => {
  await writeFile(join(folder, name), text)
  return join(folder, name)
}

let driver: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'serval-run-'))
  const small = await file('small.ts', wiring())
  const bare = await file('bare.ts', `import '@no-such/driver/part'\n${wiring()}`)
  const options = `{
  setups: { small: () => import(${JSON.stringify(small)}), bare: () => import(${JSON.stringify(bare)}) },
  defaultSetup: 'small',
  banner: ({ setupName, edge }) => \`\${setupName} \${edge.public.port} \${edge.operator.port}\\n\`,
}`
  main = await file('main.ts', `import { run } from ${from('./run.ts')}\nawait run(${options})\n`)
  // Starting a process costs more than all that is tested here: one takes many command lines that are refused.
  driver = await file(
    'driver.ts',
    `import { run } from ${from('./run.ts')}
const write = process.stderr.write
const results = []
for (const { argv, env } of JSON.parse(process.argv[2])) {
  const result = { code: 0, stderr: '' }
  process.exit = (code) => void (result.code = code)
  process.stderr.write = (text) => (result.stderr += text) !== ''
  Object.assign(process.env, { SERVAL_PORT: '0' }, env)
  await run(${options}, argv)
  results.push(result)
}
process.stderr.write = write
process.stdout.write(JSON.stringify(results))
`,
  )
})
afterAll(() => rm(folder, { recursive: true }))

const environment = { PATH: process.env['PATH'], NODE_NO_WARNINGS: '1' }
const start = (program: string, argv: readonly string[]) =>
  new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    const child = execFile(
      process.execPath,
      [program, ...argv],
      { env: environment },
      (error, stdout, stderr) =>
        resolve({
          code: typeof error?.code === 'number' ? error.code : (child.exitCode ?? -1),
          stdout,
          stderr,
        }),
    )
  })

/** The one line that a person gets, and nothing else. */
const lineOf = ({ code, stderr }: { readonly code: number; readonly stderr: string }) => {
  const lines = stderr.split('\n').filter((line) => line.trim() !== '')
  expect({ code, lines }).toEqual({
    code: 1,
    lines: [expect.stringMatching(/^ {2}Cannot start: ./)],
  })
  return (lines[0] ?? '').slice('  Cannot start: '.length)
}

test('what cannot start says why in one line, and exits with 1', async () => {
  const missing = join(folder, 'missing.ts')
  const [throwing, empty, wrong, wiringFails, away] = await Promise.all([
    file('throwing.ts', 'throw new TypeError("not today")\n'),
    file('empty.ts', 'export const name = "x"\n'),
    file('wrong.ts', wiring('public: { host: "127.0.0.1", port: "8080" },')),
    file('wiring.ts', wiring('ports: settings.nothing(),')),
    file(
      'away.ts',
      `import { failure } from ${from('../base/failure.ts')}
${wiring("system: { name: 'small', title: 'Small', version: '1', services: [], seed: async () => { throw failure('store-unavailable') } },")}`,
    ),
    file('secret', 'hunter2'),
  ])
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  const { port } = other.address() as AddressInfo
  const badPort = 'SERVAL_PORT must be a whole number from 0 to 65535; it is "http"'
  const cases: [argv: string[], said: string | RegExp, env?: Record<string, string>][] = [
    [['--setup', missing], new RegExp(`^The setup file ${missing} cannot be loaded: .`)],
    [['-s', throwing], `The setup file ${throwing} cannot be loaded: not today`],
    [['-s', empty], `${empty} must have a default export made by setup(name, wiring)`],
    [['-s', wrong], `${wrong}: the setup’s field public.port must be a number; it is string`],
    [['-s', wiringFails], new RegExp(`^${wiringFails}: its wiring failed: .`)],
    [['-s', 'lion'], 'There is no setup lion; there are small, bare, or give the path of a file'],
    [['-s', 'bare'], 'The setup bare needs a package that is not installed: npm install @no-such/driver'], // prettier-ignore
    [['-s', 'constructor'], /^There is no setup constructor/],
    [['--port', 'http'], badPort.replace('SERVAL_PORT', '--port (SERVAL_PORT)')],
    [[], badPort, { SERVAL_PORT: 'http' }],
    [['--log', 'loud'], '--log (SERVAL_LOG) must be one of debug, info, warn, error; it is "loud"'],
    [
      ['-p', String(port)],
      `port ${port} on 127.0.0.1 is in use; stop what uses it or set another port`,
    ],
    [
      ['--data', folder],
      `The secret file ${join(folder, 'secret')} cannot be used: it does not hold 64 hexadecimal digits; restore it from a backup`,
    ],
    [['-s', away], 'The database cannot be reached now'],
  ]
  const driven = await start(driver, [
    JSON.stringify(cases.map(([argv, , env]) => ({ argv, env }))),
  ])
  await new Promise((resolve) => other.close(resolve))
  expect(driven).toMatchObject({ code: 0, stderr: '' })
  const results = JSON.parse(driven.stdout) as { code: number; stderr: string }[]
  expect(results).toHaveLength(cases.length)
  for (const [index, [, said]] of cases.entries()) {
    const line = lineOf(results[index] ?? { code: -1, stderr: '' })
    if (typeof said === 'string') expect(line).toBe(said)
    else expect(line).toMatch(said)
  }
})

test('a setup file with a syntax error: one line on stderr, exit code 1', async () => {
  const broken = await file('broken.ts', 'export default {\n  name: "x",,\n')
  const done = await start(main, ['-s', broken])
  expect(done.stdout).toBe('')
  expect(lineOf(done)).toMatch(new RegExp(`^The setup file ${broken} cannot be loaded: .`))
})

test('an option that there is not, and help', async () => {
  const [wrong, help] = await Promise.all([start(main, ['--prot', '1']), start(main, ['--help'])])
  expect(wrong).toMatchObject({ code: 1, stdout: '' })
  expect(wrong.stderr).toContain('--prot')
  expect(wrong.stderr).toContain('Run with --help to see the options.')
  expect(wrong.stderr).not.toMatch(/\n\s+at /)
  expect(help).toMatchObject({ code: 0, stderr: '' })
  expect(help.stdout).toContain('--operator-port')
  expect(help.stdout).toContain('small')
})

test('a host that started says where it is, answers, and ends with 0 when it is told to stop', async () => {
  const child = spawn(process.execPath, [main], {
    env: environment,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve))
  const line = await new Promise<string>((resolve) =>
    child.stdout.once('data', (chunk) => resolve(String(chunk))),
  )
  const [, port, operatorPort] = /^small (\d+) (\d+)\n$/.exec(line) ?? []
  const live = await fetch(`http://127.0.0.1:${port}/health/ready`)
  expect([live.status, await live.json()]).toEqual([200, { status: 'ready' }])
  const readers = await fetch(`http://127.0.0.1:${operatorPort}/operator/v1/readers`)
  expect(readers.status).toBe(401)
  await readers.text()
  child.kill('SIGTERM')
  expect(await exited).toBe(0)
})
