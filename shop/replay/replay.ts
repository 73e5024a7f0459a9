import { writeFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { ServalError, systemEnv, type Env } from 'serval'
import { checksOf } from './checks.ts'
import { shopAt, type Shop } from './client.ts'
import { Complaint } from './complaint.ts'
import { rowsOf } from './csv.ts'
import { helpText, replayOptions, type ReplayOptions } from './options.ts'
import { patience } from './patience.ts'
import { placeOrders, type Placed } from './place.ts'
import { planOf, type Plan, type PlannedOrder } from './plan.ts'
import { addProducts, openAccounts, setStock } from './prepare.ts'
import { progressOn, type Progress } from './progress.ts'
import { sampleOf } from './quantiles.ts'
import { reportOf, reportText, type Report } from './report.ts'
import { Session } from './session.ts'
import { mailsSent, ordersSettled, readSettledBooks, timeToFinal } from './settle.ts'
import { orderIds, readOutcomes, readStock, sendAgain } from './verify.ts'

type Output = Pick<NodeJS.WriteStream, 'write' | 'isTTY'>

export interface ReplayIo {
  readonly out: Pick<Output, 'write'>
  /** Progress and errors. */
  readonly err: Output
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Has `leave` run before the program is ended from outside. */
  readonly onInterrupt?: (leave: () => void) => void
}

const followed = 200
const askedAgain = 100

const makeRunId = (env: Env) => Buffer.from(env.bytes(4)).toString('hex')

/** Fails at once, in words, where patience would only hide that an address or the key is wrong. */
const checkReachable = async (shop: Shop, { address, operator }: ReplayOptions) => {
  const told = async (where: string, hint: string, call: () => Promise<unknown>) => {
    try {
      await call()
    } catch (error) {
      if (!(error instanceof ServalError)) throw error
      if (error.code === 'unauthenticated')
        throw new Complaint('The operator’s key is not this shop’s: it prints it when it starts.')
      throw new Complaint(`No shop answers at ${where} (${error.code}). ${hint}`)
    }
  }
  const start = 'Start it with npm start.'
  await told(address, start, () => shop.catalog.products({ limit: 1 }))
  const other = 'Its operator’s address is given as --operator.'
  await told(operator, other, () => shop.operator.orders.audit({}))
}

const readPlan = async (options: ReplayOptions, progress: Progress): Promise<Plan> => {
  const plan = await planOf(rowsOf(options.file), options.limit)
  if (plan.orders.length === 0) throw new Complaint(`${options.file} holds no order`, 2)
  const { rows, orders, leftOut } = plan.file
  const count = (value: number) => value.toLocaleString('en-GB')
  progress.tell(
    `${basename(options.file)}: ${count(rows)} rows, ${count(orders)} orders; ` +
      `${count(leftOut)} rows are cancellations, adjustments or gifts and are left out`,
  )
  if (plan.orders.length < orders) progress.tell(`the first ${count(plan.orders.length)} only`)
  return plan
}

/** A replay from the file to the report. */
export const replayed = async (options: ReplayOptions, progress: Progress): Promise<Report> => {
  const env = systemEnv()
  const clock = () => performance.now()
  const shop = shopAt(options)
  const plan = await readPlan(options, progress)
  await checkReachable(shop, options)

  const retries = new Map<string, number>()
  const onRetry = (code: string) => void retries.set(code, (retries.get(code) ?? 0) + 1)
  const patiently = patience({ env, forMs: options.patienceMs, onRetry })
  const together = { env, clock, shop, patiently, progress }
  const setUp = { concurrency: options.concurrency, progress }
  const sessionOptions = { shop, env, patiently }

  if ((await ordersSettled(together)).left > 0)
    throw new Complaint('Orders of before do not come to an end: the sums would not be known.')
  const merchant = await Session.open(options.merchant, sessionOptions)
  if (!merchant.roles.includes('merchant'))
    throw new Complaint(`${options.merchant.email} is not a merchant of this shop.`)
  await addProducts(plan.products, merchant, setUp)
  await setStock(plan.products, merchant, setUp)
  const { customers } = plan
  const sessions = await openAccounts(customers, options.customerPassword, sessionOptions, setUp)
  const sessionOf = ({ customer }: PlannedOrder): Session => {
    const session = sessions.get(customer.email)
    if (session === undefined) throw new Error(`${customer.email} is not signed in`)
    return session
  }

  // An id that was given may be that of a run which placed some of the orders before it was stopped.
  const run = options.run ?? makeRunId(env)
  const there =
    options.run === undefined ? [] : await Promise.all([...sessions.values()].map(orderIds))
  const idsBefore = new Set(there.flat())
  const isFresh = ({ id }: Placed) => !idsBefore.has(id)

  const before = await readSettledBooks(together)
  progress.tell(`run ${run}: --run ${run} continues it if it is stopped`)
  const startedAt = new Date(env.now()).toISOString()
  const follows = new Set(sampleOf(plan.orders, followed))
  const following: Promise<number | undefined>[] = []
  const placing = await placeOrders(plan.orders, sessionOf, {
    ...together,
    run,
    speed: options.speed,
    concurrency: options.concurrency,
    keeps: new Set(sampleOf(plan.orders, askedAgain)),
    onPlaced: (placed) => {
      // A sample that cannot be read is one less; what is wrong with the order shows in the checks.
      if (follows.has(placed.order) && isFresh(placed))
        following.push(timeToFinal(placed, together).catch(() => undefined))
    },
  })
  const { placed } = placing
  const settled = await ordersSettled(together)
  const fresh = placed.filter(isFresh)
  const sentBefore = before.mailsConfirmed + before.mailsCancelled
  if (settled.left === 0) await mailsSent(fresh.length, sentBefore, together)

  const kept = placed.filter(({ body }) => body !== undefined)
  const same = await sendAgain(kept, run, shop, setUp)
  const outcomes = await readOutcomes(placed, plan.products, setUp)
  const stock = await readStock(plan.products, shop, patiently, setUp)
  const after = await readSettledBooks(together)

  const freshOrders = new Set(fresh.map(({ order }) => order))
  const [isNew, isOld] = [true, false].map((wanted) =>
    outcomes.filter(({ order }) => freshOrders.has(order) === wanted),
  )
  const split = { fresh: isNew ?? [], earlier: isOld ?? [] }
  const checks = checksOf({
    ...split,
    products: plan.products,
    accepted: placed.length,
    before,
    after,
    stock,
    repeats: { asked: kept.length, same },
  })
  const { speed, concurrency } = options
  return reportOf({
    ...split,
    about: { run, file: basename(options.file), speed, concurrency, startedAt },
    plan,
    placing,
    untilSettledMs: settled.at - placing.begunAt,
    toFinalMs: (await Promise.all(following)).flatMap((ms) => ms ?? []),
    retries,
    checks,
  })
}

/** The program: takes the command line, answers the exit code. */
export const replay = async (argv: readonly string[], io: ReplayIo): Promise<number> => {
  try {
    const options = replayOptions(argv, io.environment)
    if (options === 'help') {
      io.out.write(`${helpText}\n`)
      return 0
    }
    const progress = progressOn({ stream: io.err, clock: () => performance.now() })
    io.onInterrupt?.(progress.close)
    const report = await replayed(options, progress).finally(progress.close)
    io.out.write(`${reportText(report)}\n`)
    if (options.report !== undefined)
      await writeFile(options.report, `${JSON.stringify(report, undefined, 2)}\n`)
    return report.ok ? 0 : 1
  } catch (error) {
    if (error instanceof Complaint) {
      io.err.write(`\n  ${error.message.replaceAll('\n', '\n  ')}\n\n`)
      return error.exitCode
    }
    const code = error instanceof ServalError ? ` (${error.code})` : ''
    io.err.write(`\n  ${error instanceof Error ? error.message : String(error)}${code}\n\n`)
    return 1
  }
}
