/** What a host said of ten seconds in which it called others again. */
export interface Retried {
  /** When it was said, in milliseconds since the Unix epoch. */
  readonly at: number
  readonly calls: number
  readonly retries: number
}

/** Reads the fleet's log. */
export const retriesIn = (log: string): readonly Retried[] =>
  log.split('\n').flatMap((line) => {
    if (!line.includes('"message":"calls were made again"')) return []
    const number = (field: string) =>
      Number(new RegExp(String.raw`"${field}":(\d+)`).exec(line)?.[1])
    const at = Date.parse(/"at":"([^"]+)"/.exec(line)?.[1] ?? '')
    return [{ at, calls: number('calls'), retries: number('retries') }]
  })
