import { eventually } from '../testing/eventually.ts'
import type { Directory } from './directory.ts'

/** What a directory tells, as texts such as `id@wire://10.0.0.1:7070=a+a$log`, and why it fails; `end` ends the watch. */
export const watchedDirectory = (directory: Directory) => {
  const told: string[] = []
  const failed: string[] = []
  const end = directory.watch(
    (peers) =>
      told.push(
        peers.map((peer) => `${peer.id}@${peer.address}=${peer.contracts.join('+')}`).join(' '),
      ),
    (error) => failed.push(String(error)),
  )
  const becomes = (wanted: string) =>
    eventually(() => told.at(-1) === wanted, `${wanted} (${told.at(-1)}, ${failed.at(-1)})`)
  return { told, failed, becomes, end }
}
