import { styleText } from 'node:util'

/** Where a command speaks: results to standard output, the rest to standard error. */
export interface Terminal {
  /** A result. */
  out(text: string): void
  /** Why something failed. */
  err(text: string): void
  /** What is being done: one line that is overwritten, and shown to a person only. An empty text removes it. */
  progress(text: string): void
  bold(text: string): string
}

/** The terminal of this process. */
export const processTerminal = (): Terminal => {
  const { stdout, stderr } = process
  let shown = ''
  const progress = (text: string) => {
    if (!stderr.isTTY || text === shown) return
    stderr.write(`\r\u001b[2K${text === '' ? '' : `  … ${text}`}`)
    shown = text
  }
  return {
    out: (text) => {
      progress('')
      stdout.write(`${text}\n`)
    },
    err: (text) => {
      progress('')
      stderr.write(`${text}\n`)
    },
    progress,
    bold: (text) => styleText('bold', text, { stream: stdout }),
  }
}
