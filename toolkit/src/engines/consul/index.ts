export { consulDirectory } from './directory.ts'
export type { ConsulDirectoryOptions } from './directory.ts'
