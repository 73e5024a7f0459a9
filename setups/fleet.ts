import { systemEnv } from 'serval'
import { consulDirectory } from 'serval/engines/consul'
import { dnsDirectory } from 'serval/engines/dns'
import { httpTransport, listenHttp } from 'serval/engines/http'
import { joseIdentities } from 'serval/engines/jose'
import { kubernetesDirectory } from 'serval/engines/kubernetes'
import { wireTransport } from 'serval/engines/sockets'
import { supervisedDirectory } from 'serval/fleet'
import * as host from 'serval/host'
import { shop } from '../shop/shop.ts'

const env = systemEnv()
const contracts = shop.services.map(({ contract }) => contract.name)

/** Where hosts find each other, by the form of SERVAL_DIRECTORY. */
const directoryOf = (settings: host.Settings, scheme: string, only?: host.OnlyForm) => {
  const key = settings.text('SERVAL_FLEET_KEY', '')
  const place = ['HOST', 'PORT'].map((part) => settings.text(`KUBERNETES_SERVICE_${part}`, ''))
  const server = `https://${place.join(':')}`
  const forms = {
    http: (_: string, address: string) => supervisedDirectory({ env, address, key }),
    static: (at: string) => host.staticDirectory({ contracts, at }),
    dns: (at: string) => dnsDirectory({ env, contracts, scheme, at }),
    consul: (at: string) => consulDirectory({ env, at, token: key }),
    kubernetes: (at: string) => kubernetesDirectory({ env, contracts, scheme, at, server }),
  }
  const text = settings.text('SERVAL_DIRECTORY', '')
  return host.directoryFrom('SERVAL_DIRECTORY', text, forms, only)
}

const healthOf = (settings: host.Settings, link: string) => {
  const setting = 'SERVAL_HEALTH_PORT'
  const port = settings.port(setting, 0)
  return port === 0 ? {} : { health: { host: link, port, setting, listen: listenHttp } }
}

/** How the hosts of a fleet find and call each other: over frames or HTTP, with certificates over TLS. */
export const fleetOf = (
  settings: host.Settings,
  roles: host.FleetSetup['roles'],
  only?: host.OnlyForm,
): host.FleetSetup => {
  const id = settings.text('SERVAL_HOST_ID', '')
  const link = settings.text('SERVAL_LINK_HOST', '127.0.0.1')
  const way = settings.text('SERVAL_LINK', 'wire')
  const certificates = host.linkCertificates(settings, env.now)
  return {
    roles,
    link: { host: link, port: settings.port('SERVAL_LINK_PORT', 0), setting: 'SERVAL_LINK_PORT' },
    ...healthOf(settings, link),
    directory: directoryOf(settings, host.schemeOf(way, certificates), only),
    ...(id !== '' && { id }),
    transport: host.transports(
      { wire: wireTransport({ certificates }), http: httpTransport({ certificates }) },
      way,
    ),
    identities: joseIdentities,
  }
}
