import { parseArgs } from 'node:util'

export interface DemoOptions {
  readonly address: string
}

/** The command line is wrong. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

export const helpText = [
  'A customer’s day: opens an account, looks around, orders with good and bad cards.',
  '',
  'Usage: npm run demo -- [options]',
  '',
  '  --address URL   the shop; default http://127.0.0.1:8080',
  '  -h, --help      this text',
  '',
  'The shop must run: npm start, in another terminal.',
  'Exit code: 0 all went as it should, 1 it did not.',
].join('\n')

/** The command line as options, or `help`. */
export const demoOptions = (argv: readonly string[]): DemoOptions | 'help' => {
  const options = {
    address: { type: 'string' },
    help: { type: 'boolean', short: 'h' },
  } as const
  const parse = () => {
    try {
      return parseArgs({ args: [...argv], options, strict: true }).values
    } catch (error) {
      throw new UsageError(error instanceof Error ? error.message : String(error))
    }
  }
  const { address = 'http://127.0.0.1:8080', help = false } = parse()
  if (help) return 'help'
  if (!URL.canParse(address) || !/^https?:$/.test(new URL(address).protocol))
    throw new UsageError(
      `--address must be an address such as http://127.0.0.1:8080; it is ${JSON.stringify(address)}`,
    )
  return { address: new URL(address).origin }
}
