import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { recordingTerminal } from './recording-terminal.suite.ts'
import { serval } from './serval.ts'

const run = async (...args: string[]) => {
  const terminal = recordingTerminal()
  return { code: await serval(args, terminal), ...terminal.said }
}

const commands = ['new', 'contracts check', 'contracts release', 'backup', 'restore']

test('without a command, or with --help, all commands are shown', async () => {
  for (const args of [[], ['--help'], ['-h'], ['help']]) {
    const { code, out, err } = await run(...args)
    expect({ code, err }).toEqual({ code: 0, err: '' })
    for (const command of commands) expect(out).toContain(`serval ${command} `)
  }
  const { out } = await run('contracts')
  expect(out).toContain('serval contracts check')
  expect(out).not.toContain('serval backup')
})

test.each(commands)('%s explains itself', async (command) => {
  const { code, out } = await run(...command.split(' '), '--help')
  expect(code).toBe(0)
  expect(out).toMatch(new RegExp(`\\n\\nUsage: serval ${command} [A-Z]+ \\[options\\]\\n`))
  expect(out).toContain('--help')
  expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThanOrEqual(120)
})

test('what is called wrongly gets the exit code 2 and says where help is', async () => {
  expect(await run('feed')).toMatchObject({
    code: 2,
    out: '',
    err: expect.stringContaining('There is no command feed.'),
  })
  expect((await run('contracts', 'feed')).err).toContain('There is no command contracts feed.')
  const wrong = [['backup'], ['backup', 'a', 'b'], ['backup', 'a', '--date', 'x'], ['new']]
  for (const args of wrong) {
    const { code, err } = await run(...args)
    expect(code).toBe(2)
    expect(err).toMatch(/^serval (backup|new): .*See: serval (backup|new) --help\n$/)
  }
})

test('--version is that of the package', async () => {
  const file = new URL('../../package.json', import.meta.url)
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: string }
  expect((await run('--version')).out).toBe(`${version}\n`)
})
