import { systemEnv } from 'serval'
import { httpTransport } from 'serval/engines/http'
import { joseIdentities } from 'serval/engines/jose'
import { wireTransport } from 'serval/engines/sockets'
import { supervisedDirectory } from 'serval/fleet'
import { transports, type FleetSetup, type Settings } from 'serval/host'

/** How the hosts of a fleet find and call each other: by the supervisor that started them, over frames or HTTP. */
export const fleetOf = (settings: Settings, roles: FleetSetup['roles']): FleetSetup => {
  const address = settings.text('SERVAL_DIRECTORY', '')
  const id = settings.text('SERVAL_HOST_ID', '')
  const key = settings.text('SERVAL_FLEET_KEY', '')
  return {
    roles,
    link: {
      host: settings.text('SERVAL_LINK_HOST', '127.0.0.1'),
      port: settings.port('SERVAL_LINK_PORT', 0),
      setting: 'SERVAL_LINK_PORT',
    },
    directory: address === '' ? undefined : supervisedDirectory({ env: systemEnv(), address, key }),
    ...(id !== '' && { id }),
    transport: transports(
      { wire: wireTransport(), http: httpTransport() },
      settings.text('SERVAL_LINK', 'wire'),
    ),
    identities: joseIdentities,
  }
}
