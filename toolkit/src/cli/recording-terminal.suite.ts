import type { Terminal } from './terminal.ts'

/** A terminal that remembers what was said. */
export const recordingTerminal = (): Terminal & {
  readonly said: { out: string; err: string; progress: string[] }
} => {
  const said = { out: '', err: '', progress: [] as string[] }
  return {
    said,
    out: (text) => void (said.out += `${text}\n`),
    err: (text) => void (said.err += `${text}\n`),
    progress: (text) => void said.progress.push(text),
    bold: (text) => text,
  }
}
