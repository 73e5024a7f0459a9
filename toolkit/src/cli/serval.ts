import { ServalError } from '../base/failure.ts'
import { columns, helpOf, parse, type Command } from './command.ts'
import type { Terminal } from './terminal.ts'
import { version } from './version.ts'

/** Each in a file of its own, loaded when it is called: so that no command needs what another one does. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  new: async () => (await import('./new/new.ts')).newProject,
  'contracts check': async () => (await import('./contracts/check.ts')).contractsCheck,
  'contracts release': async () => (await import('./contracts/release.ts')).contractsRelease,
  up: async () => (await import('./fleet/up.ts')).up,
  status: async () => (await import('./fleet/change.ts')).status,
  scale: async () => (await import('./fleet/change.ts')).scale,
  split: async () => (await import('./fleet/change.ts')).split,
  merge: async () => (await import('./fleet/change.ts')).merge,
  roll: async () => (await import('./fleet/change.ts')).roll,
  down: async () => (await import('./fleet/change.ts')).down,
  backup: async () => (await import('./backup/backup.ts')).backup,
  restore: async () => (await import('./backup/restore.ts')).restore,
}

const overview = async (of: readonly string[]): Promise<string> => {
  const rows = of.map(async (name) => {
    const command = await commands[name]?.()
    return [`serval ${name} ${command?.takes ?? ''}`.trimEnd(), command?.summary ?? ''] as const
  })
  return [
    'Usage:',
    '',
    ...columns(await Promise.all(rows)),
    '',
    'Each has --help. serval --version shows the version.',
  ].join('\n')
}

/** Runs a command line and answers the exit code: 0 done, 1 refused or failed, 2 called wrongly. */
export const serval = async (args: readonly string[], terminal: Terminal): Promise<number> => {
  const [first = '', second = ''] = args
  if (first === '--version' || first === '-v') {
    terminal.out(version())
    return 0
  }
  const names = Object.keys(commands)
  const name = names.find((one) => one === first || one === `${first} ${second}`)
  const load = name === undefined ? undefined : commands[name]
  if (name === undefined || load === undefined) {
    const group = names.filter((one) => one.startsWith(`${first} `))
    const asked = ['', '--help', '-h', 'help'].includes(group.length > 0 ? second : first)
    if (!asked) terminal.err(`There is no command ${[first, group.length > 0 ? second : ''].join(' ').trim()}.\n`) // prettier-ignore
    const text = await overview(group.length > 0 ? group : names)
    if (asked) terminal.out(text)
    else terminal.err(text)
    return asked ? 0 : 2
  }
  try {
    const command = await load()
    const given = parse(command, args.slice(name.split(' ').length))
    if (given !== undefined) return await command.run(given, terminal)
    terminal.out(helpOf(command))
    return 0
  } catch (error) {
    const expected = error instanceof ServalError && error.code !== 'internal'
    const text = error instanceof Error ? (expected ? error.message : error.stack) : String(error)
    terminal.err(`serval ${name}: ${text ?? ''}`)
    return expected && error.code === 'misconfigured' ? 2 : 1
  }
}
