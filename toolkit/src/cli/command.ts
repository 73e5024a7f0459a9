import { parseArgs } from 'node:util'
import { failure } from '../base/failure.ts'
import type { Terminal } from './terminal.ts'

export interface CommandOption {
  readonly type: 'string' | 'boolean'
  readonly short?: string
  /** What stands for a text option's value in the help. */
  readonly value?: string
  readonly help: string
}

/** What was given on the command line. */
export interface Given {
  readonly positionals: readonly string[]
  text(option: string): string | undefined
  flag(option: string): boolean
}

export interface Command {
  /** As a person types it: `contracts check`. */
  readonly name: string
  /** What follows the name, for the help: `FILE [SYSTEM]`. */
  readonly takes: string
  /** How many of them are needed, and how many there may be. */
  readonly arguments: { readonly least: number; readonly most: number }
  readonly summary: string
  readonly notes?: readonly string[]
  readonly options: Readonly<Record<string, CommandOption>>
  /** Answers the exit code. What it throws is shown in one line if it is a failure of ours, with its stack otherwise. */
  readonly run: (given: Given, terminal: Terminal) => Promise<number>
}

/** A mistake in how the command was called. */
export const usage = (command: Command, reason: string) =>
  failure('misconfigured', `${reason}. See: serval ${command.name} --help`)

const help: CommandOption = { type: 'boolean', short: 'h', help: 'this text' }

/** Lines of two columns. */
export const columns = (rows: readonly (readonly [string, string])[]): string[] => {
  const width = Math.max(...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `  ${left.padEnd(width + 2)}${right}`.trimEnd())
}

export const helpOf = (command: Command): string =>
  [
    `${command.summary}.`,
    '',
    `Usage: ${['serval', command.name, command.takes, '[options]'].filter(Boolean).join(' ')}`,
    '',
    ...columns(
      Object.entries({ ...command.options, help }).map(([name, option]) => [
        `${option.short === undefined ? '    ' : `-${option.short}, `}--${name}${option.value === undefined ? '' : ` ${option.value}`}`,
        option.help,
      ]),
    ),
    ...(command.notes === undefined ? [] : ['', ...command.notes]),
  ].join('\n')

/** Reads a command's arguments; undefined when the help was asked for. */
export const parse = (command: Command, args: readonly string[]): Given | undefined => {
  const options: Readonly<Record<string, CommandOption>> = { ...command.options, help }
  const { values, positionals } = (() => {
    try {
      return parseArgs({
        args: [...args],
        options,
        strict: true,
        allowPositionals: true,
      })
    } catch (error) {
      const [reason = ''] = (error instanceof Error ? error.message : String(error)).split(/\. |\n/)
      throw usage(command, reason.replace(/\.$/, ''))
    }
  })()
  if (values['help'] === true) return undefined
  const { least, most } = command.arguments
  if (positionals.length < least) throw usage(command, `${command.takes} is missing`)
  if (positionals.length > most)
    throw usage(command, `${JSON.stringify(positionals[most])} is one argument too many`)
  return {
    positionals,
    text: (option) => {
      const value = values[option]
      return typeof value === 'string' ? value : undefined
    },
    flag: (option) => values[option] === true,
  }
}
