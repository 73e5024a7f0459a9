import { parseArgs } from 'node:util'
import { Complaint } from './complaint.ts'
import { demoPassword } from '../demo-accounts.ts'

export interface ReplayOptions {
  readonly file: string
  readonly address: string
  readonly operator: string
  readonly key: string
  /** As fast as the shop answers, or a factor of the file's own pace. */
  readonly speed: 'max' | number
  readonly concurrency: number
  /** Place the first so many orders only. */
  readonly limit: number
  /** Part of every Idempotency-Key; undefined for a new one. */
  readonly run: string | undefined
  readonly report: string | undefined
  readonly merchant: { readonly email: string; readonly password: string }
  readonly customerPassword: string
  /** How long one call is tried again while the shop cannot answer. */
  readonly patienceMs: number
}

type Environment = Readonly<Record<string, string | undefined>>

const flags = {
  address: { type: 'string', value: 'URL', help: 'the shop; default http://127.0.0.1:8080' },
  operator: { type: 'string', value: 'URL', help: 'its operator; default http://127.0.0.1:8081' },
  key: { type: 'string', value: 'KEY', help: 'the operator’s key (or SERVAL_OPERATOR_KEY)' },
  speed: { type: 'string', value: 'SPEED', help: 'max (default), or a factor such as 20000x' },
  concurrency: { type: 'string', value: 'N', help: 'calls at once; default 16' },
  limit: { type: 'string', value: 'N', help: 'place the first N orders only' },
  run: { type: 'string', value: 'ID', help: 'continue the run of this id; default: a new run' },
  report: { type: 'string', value: 'FILE', help: 'write the report as JSON, too' },
  merchant: { type: 'string', value: 'EMAIL', help: 'who adds products; merchant@shop.test' },
  'merchant-password': { type: 'string', value: 'TEXT', help: 'default: the demo account’s' },
  'customer-password': {
    type: 'string',
    value: 'TEXT',
    help: 'of the accounts it opens; default serval-replay',
  },
  patience: { type: 'string', value: 'SECONDS', help: 'retry a call so long; default 120' },
  help: { type: 'boolean', short: 'h', value: '', help: 'this text' },
} as const

export const helpText = [
  'Replays a stream of orders from a CSV against a running shop, then checks every sum.',
  '',
  'Usage: npm run replay -- FILE [options]',
  '',
  ...Object.entries(flags).map(([name, { value, help }]) =>
    `  --${name} ${value}`.padEnd(30).concat(help),
  ),
  '',
  'FILE, plain or gzip, has the columns',
  '  invoice,at,customer,country,sku,description,quantity,unit_price_minor',
  'An invoice of digits is an order of its lines with quantity and price above 0.',
  'At a factor of the file’s pace, latency counts from the moment an order was due.',
  'Nobody else should use the shop meanwhile: the sums would not agree.',
  'Exit code: 0 all sums agree, 1 they do not or the shop is away, 2 wrong FILE or options.',
].join('\n')

const wrong = (name: string, must: string, value: string) =>
  new Complaint(`--${name} must be ${must}; it is ${JSON.stringify(value)}`, 2)

const integer = (name: string, value: string | undefined, otherwise: number, to: number) => {
  if (value === undefined) return otherwise
  const number = Number(value)
  if (!/^\d+$/.test(value) || number < 1 || number > to)
    throw wrong(name, `a whole number from 1 to ${to}`, value)
  return number
}

const address = (name: string, value: string) => {
  if (!URL.canParse(value) || !/^https?:$/.test(new URL(value).protocol))
    throw wrong(name, 'an address such as http://127.0.0.1:8080', value)
  return new URL(value).origin
}

const speedOf = (value: string): 'max' | number => {
  if (value === 'max') return value
  const factor = Number(/^(\d+(?:\.\d+)?)x?$/.exec(value)?.[1])
  if (factor > 0) return factor
  throw wrong('speed', 'max or a factor above 0 such as 1000x', value)
}

const parse = (argv: readonly string[]) => {
  try {
    return parseArgs({ args: [...argv], options: flags, strict: true, allowPositionals: true })
  } catch (error) {
    // Beyond its first sentence it tells of arguments that begin with a hyphen.
    const reason = error instanceof Error ? error.message.replace(/\. .*$|\.$/s, '') : String(error)
    throw new Complaint(`${reason}. Run with --help to see the options.`, 2)
  }
}

/** The command line as options, or `help`. Throws a Complaint that names the option and its value. */
export const replayOptions = (
  argv: readonly string[],
  environment: Environment,
): ReplayOptions | 'help' => {
  const { values, positionals } = parse(argv)
  if (values.help === true) return 'help'
  const [file, ...more] = positionals
  if (file === undefined) throw new Complaint('Which FILE? Run with --help to see the options.', 2)
  if (more.length > 0) throw new Complaint(`One FILE only, not also ${more.join(' ')}`, 2)
  const key = values.key ?? environment.SERVAL_OPERATOR_KEY ?? ''
  if (!/^[\x21-\x7e]+$/.test(key))
    throw new Complaint(
      'The operator’s key is missing: the shop prints it when it starts.\n' +
        'Give it as --key KEY, or in SERVAL_OPERATOR_KEY.',
      2,
    )
  if (values.run !== undefined && !/^[A-Za-z0-9._-]{1,64}$/.test(values.run))
    throw wrong('run', '1 to 64 letters, digits, dots, underscores or hyphens', values.run)
  return {
    file,
    address: address('address', values.address ?? 'http://127.0.0.1:8080'),
    operator: address('operator', values.operator ?? 'http://127.0.0.1:8081'),
    key,
    speed: speedOf(values.speed ?? 'max'),
    concurrency: integer('concurrency', values.concurrency, 16, 1_000),
    limit: integer('limit', values.limit, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
    run: values.run,
    report: values.report,
    merchant: {
      email: values.merchant ?? 'merchant@shop.test',
      password: values['merchant-password'] ?? demoPassword,
    },
    customerPassword: values['customer-password'] ?? 'serval-replay',
    patienceMs: integer('patience', values.patience, 120, 86_400) * 1_000,
  }
}
