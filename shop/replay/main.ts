import { replay } from './replay.ts'

process.exitCode = await replay(process.argv.slice(2), {
  out: process.stdout,
  err: process.stderr,
  environment: process.env,
  onInterrupt: (leave) =>
    void process.once('SIGINT', () => {
      leave()
      process.exit(130)
    }),
})
