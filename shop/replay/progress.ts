import cliProgress from 'cli-progress'

/** Something that takes a while and whose end is known. */
export interface Phase {
  done(count?: number): void
  /** Says that it is over, with what there is to say. */
  end(words?: string): void
}

export interface Progress {
  phase(name: string, total: number): Phase
  tell(words: string): void
  /** Leaves the terminal as it was, when a phase ended in an error. */
  close(): void
}

export interface ProgressOptions {
  readonly stream: Pick<NodeJS.WriteStream, 'write' | 'isTTY'>
  /** A clock that only goes forward, in milliseconds. */
  readonly clock: () => number
}

const everyMs = 5_000

const number = (value: number) => value.toLocaleString('en-GB')

/** A bar on a terminal; elsewhere a line now and then. */
export const progressOn = ({ stream, clock }: ProgressOptions): Progress => {
  let running: { stop(): void } | undefined
  const line = (words: string) => void stream.write(`  ${words}\n`)
  const barOf = (name: string, total: number) => {
    const format = `  {name} {bar} {value}/{total}  {eta_formatted} left`
    const options = { format, clearOnComplete: true, hideCursor: true, barsize: 40, fps: 8 }
    // The type asks for a whole stream; it only writes to it.
    const out = stream as NodeJS.WriteStream
    const { Presets, SingleBar } = cliProgress
    const bar = new SingleBar({ ...options, stream: out }, Presets.shades_classic)
    bar.start(total, 0, { name: name.padEnd(16) })
    return bar
  }
  return {
    tell: line,
    close: () => running?.stop(),
    phase: (name, total) => {
      const begun = clock()
      let lastAt = begun
      let value = 0
      const shown = stream.isTTY && total > 0 ? barOf(name, total) : undefined
      running = shown
      return {
        done: (count = 1) => {
          value += count
          shown?.update(value)
          if (shown !== undefined || clock() - lastAt < everyMs || value >= total) return
          lastAt = clock()
          line(`${name.padEnd(16)} ${number(value)} of ${number(total)}`)
        },
        end: (words) => {
          shown?.stop()
          running = undefined
          const took = `${((clock() - begun) / 1_000).toFixed(1)} s`.padStart(9)
          line(`${name.padEnd(16)} ${number(value).padStart(9)} ${took}  ${words ?? ''}`.trimEnd())
        },
      }
    },
  }
}
