import { SqlError, type SqlRow, type SqlValue } from '../sql/database.ts'
import { serialize } from '../sql/values.ts'
import {
  parseReplies,
  preparedLimit,
  requests,
  type Column,
  type Prepared,
  type Replies,
  type Reply,
} from '../sql/wire.ts'
import { answers } from './answers.ts'
import { connect, sqlError, type ClientOptions, type Connection } from './connect.ts'

export interface Sent {
  readonly text: string
  readonly values: readonly SqlValue[]
}

export interface Outcome {
  /** What the statements that were carried out were answered, in order. */
  readonly done: readonly Reply[]
  /** The first failure; what stood behind it had no effect. */
  readonly error: SqlError | undefined
  /** The connection was lost when all was sent and not all answered: any of it may have been carried out. */
  readonly unanswered: boolean
  /** The parameters' types of the last statement, by OID. */
  readonly parameters: readonly number[]
}

/**
 * One connection, from its first statement to its loss, after which the pool makes another client: nothing is run on a connection other than that
 * of its transaction. What is handed over at once goes out in one piece and is answered in one piece.
 */
export interface Client {
  readonly lost: boolean
  /** Runs prepared statements in order, up to the first that fails. Never rejects. */
  series(statements: readonly Sent[]): Promise<Outcome>
  /** The rows of one prepared statement. */
  run(text: string, values: readonly SqlValue[]): Promise<readonly SqlRow[]>
  /** Runs a text without parameters that may hold several statements. */
  simple(text: string, options?: { unlimited?: boolean }): Promise<void>
  end(): Promise<void>
}

interface Series {
  /** Those that were not answered yet. */
  left: readonly Sent[]
  readonly script: string | undefined
  readonly limited: boolean
  readonly done: Reply[]
  parameters: readonly number[]
  /** It met a stale plan before. */
  again: boolean
  resolve(outcome: Outcome): void
}

interface Exchange {
  readonly columns: readonly (readonly Column[])[]
  /** Without replies when the connection was lost. */
  answered(replies: Replies | undefined): void
}

const noColumns: readonly Column[] = []
/** How long `end` waits for what is under way: milliseconds. */
const patienceMs = 5_000

const closed = () =>
  new SqlError('the connection is closed', { sqlState: '', outcome: 'rolled-back' })

export const openClient = (options: ClientOptions): Client => {
  const out = requests()
  const prepared = new Map<string, Prepared>()
  /** Not yet sent, or not to their end: texts that are new to the server are prepared first. */
  const waiting: Series[] = []
  const sent: Exchange[] = []
  let connection: Connection | undefined
  let preparing = false
  let named = 0
  let loss: SqlError | undefined
  let watchdog: ReturnType<typeof setTimeout> | undefined
  let ending: Promise<void> | undefined
  let ended: () => void = () => undefined

  const post = (limited: boolean, exchange: Exchange) => {
    sent.push(exchange)
    // The server stops a statement at its own limit; this is for a server or network that fell silent.
    if (limited)
      watchdog ??= setTimeout(
        () => connection?.stream.destroy(new Error('the server does not answer')),
        options.statementTimeoutMs + 5000,
      )
    // A copy: the writer goes on in its buffer.
    connection?.stream.write(Buffer.from(out.take()))
  }

  const finish = (series: Series, error: SqlError | undefined, unanswered = false) =>
    series.resolve({ done: series.done, error, unanswered, parameters: series.parameters })

  /** A script may have changed what any of them was prepared for. */
  const forgetPrepared = () => {
    for (const { name } of prepared.values()) out.forget(name)
    prepared.clear()
  }

  const settle = (series: Series, replies: Replies) => {
    series.done.push(...replies.done)
    if (replies.stale) {
      forgetPrepared()
      if (!replies.inTransaction && series.left.length === 1 && !series.again) {
        series.again = true
        waiting.unshift(series)
        return
      }
    }
    finish(series, replies.error)
  }

  const prepare = (series: Series, text: string, columns: readonly (readonly Column[])[]) => {
    const [oldest] = prepared
    if (oldest && prepared.size >= preparedLimit) {
      prepared.delete(oldest[0])
      out.forget(oldest[1].name)
    }
    const name = `s${(named += 1)}`
    out.prepare(name, text)
    out.sync()
    preparing = true
    const answered = (replies: Replies | undefined) => {
      if (!replies) return
      preparing = false
      if (replies.error) {
        waiting.splice(waiting.indexOf(series), 1)
        settle(series, replies)
        return
      }
      const { parameters = [], columns: described = noColumns } = replies
      prepared.set(text, { name, parameters, columns: described })
      series.done.push(...replies.done)
      series.left = series.left.slice(replies.done.length)
    }
    post(series.limited, { columns, answered })
  }

  const write = (series: Series) => {
    const columns: (readonly Column[])[] = []
    for (const { text, values } of series.left) {
      const known = prepared.get(text)
      if (!known) return prepare(series, text, columns)
      const { name, parameters } = known
      out.execute(
        name,
        values.map((value, index) => serialize(parameters[index] ?? 25, value)),
      )
      columns.push(known.columns)
      series.parameters = parameters
    }
    if (series.script === undefined) out.sync()
    else out.simple(series.script)
    waiting.shift()
    post(series.limited, {
      columns,
      answered: (replies) => (replies ? settle(series, replies) : finish(series, loss, true)),
    })
  }

  const goOn = () => {
    while (connection && !preparing) {
      const [series] = waiting
      if (!series) break
      write(series)
    }
    if (ending && sent.length === 0 && waiting.length === 0) connection?.end()
  }

  const { receive, rest } = answers((answer) => {
    const exchange = sent.shift()
    if (!exchange) return
    if (sent.length > 0) watchdog?.refresh()
    else {
      clearTimeout(watchdog)
      watchdog = undefined
    }
    exchange.answered(parseReplies(answer, (index) => exchange.columns[index] ?? noColumns))
    goOn()
  })

  const lose = (error: unknown) => {
    if (loss) return
    // What the server said before it closed tells more.
    loss = parseReplies(rest(), () => noColumns).error ?? sqlError(error)
    clearTimeout(watchdog)
    connection?.stream.destroy()
    for (const { answered } of sent.splice(0)) answered(undefined)
    for (const series of waiting.splice(0)) finish(series, loss)
    ended()
  }

  connect(options, { receive, lost: lose }).then((opened) => {
    connection = opened
    goOn()
  }, lose)

  const hand = (left: readonly Sent[], script: string | undefined, limited: boolean) =>
    new Promise<Outcome>((resolve) => {
      const series: Series = {
        left, script, limited, resolve, done: [], parameters: [], again: false,
      } // prettier-ignore
      if (loss || ending) return finish(series, loss ?? closed())
      waiting.push(series)
      if (waiting.length === 1) goOn()
    })

  const orThrow = ({ done, error }: Outcome): readonly SqlRow[] => {
    if (error) throw error
    return done.at(-1)?.rows ?? []
  }

  return {
    get lost() {
      return loss !== undefined || ending !== undefined
    },
    series: (statements) => hand(statements, undefined, true),
    run: (text, values) => hand([{ text, values }], undefined, true).then(orThrow),
    simple: async (text, { unlimited = false } = {}) => {
      orThrow(await hand([], text, !unlimited))
    },
    end: () => {
      if (loss) return Promise.resolve()
      if (ending) return ending
      ending = new Promise<void>((resolve) => {
        const timer = setTimeout(() => lose(closed()), patienceMs)
        ended = () => {
          clearTimeout(timer)
          resolve()
        }
      })
      goOn()
      return ending
    },
  }
}
