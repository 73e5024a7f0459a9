import { failure } from '../base/failure.ts'
import { Superseded, type Store } from '../store/store.ts'

const id = { scope: 'host', key: 'master-secret' }
/** As good as never; databases take no more. */
const forever = Date.UTC(9999, 0)

/**
 * Refuses to run on a store that was written under another master secret: what is sealed in it could not be opened, and would fail one request
 * and one message after the other. The fingerprint, which tells nothing of the secret, is kept as a reply that no caller can ask for.
 */
export const checkSecret = async (
  service: string,
  store: Store,
  fingerprint: string,
): Promise<void> => {
  const known = async () => (await store.replies.recall(id))?.inputHash
  const remember = async () => {
    const reply = {
      ...id,
      inputHash: fingerprint,
      status: 200,
      contentType: 'text/plain',
      location: undefined,
      body: new Uint8Array(),
      expiresAt: forever,
    }
    await store
      .commit((unit) => Promise.resolve(unit.frame.remember(reply)), true)
      .catch((error: unknown) => {
        // Another host, which started at the same moment, wrote its own.
        if (!(error instanceof Superseded)) throw error
      })
  }
  if ((await known()) === undefined) await remember()
  const found = await known()
  if (found !== fingerprint)
    throw failure(
      'cannot-start',
      `the data of the service ${service} was written under another master secret: restore the setup’s secret (its file, or its setting) from a backup, or start on empty stores; nothing was changed`,
    )
}
