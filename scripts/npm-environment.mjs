import { delimiter } from 'node:path'

/**
 * What an npm that is started by a script of ours should see. npm hands its scripts variables about the running script,
 * which would mislead a second npm, and a path on which node_modules/.bin comes first, where `npm ci` takes `node` away.
 *
 * @returns {Record<string, string | undefined>}
 */
export function npmEnvironment() {
  const misleading = /^(NODE|INIT_CWD|npm_(lifecycle_|package_|command|execpath|node_execpath))/
  const env = Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !misleading.test(name) && name !== 'npm_config_local_prefix',
    ),
  )
  const path = env.PATH ?? env.Path ?? ''
  const folders = path.split(delimiter).filter((folder) => !/[\\/]node_modules[\\/]/.test(folder))
  return { ...env, PATH: folders.join(delimiter) }
}
